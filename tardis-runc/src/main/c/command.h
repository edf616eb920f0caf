/*
 * runc's command line, as far as it concerns Tardis. Nothing is refused: what cannot be understood
 * is for the runtime.
 *
 * It is read by position, never by looking for a word: a container may be called "create". Options
 * are spelled as Go's flag package takes them: --x v, --x=v, -x v and -x=v. After the subcommand they
 * may stand on both sides of the id: urfave/cli 1.22, which runc 1.1 uses, sorts them to the front.
 * The options are those of runc 1.1 and 1.2. The vectors in command-lines.txt test this reader.
 */
#ifndef TARDIS_COMMAND_H
#define TARDIS_COMMAND_H

#include <stdbool.h>

enum kind { PASS_THROUGH, CREATE /* restore, too */, START, DELETE };

struct command {
    enum kind kind;
    const char *name; /* of the subcommand; NULL if there is none */
    const char *log;
    bool log_json;

    /* NULL or false for PASS_THROUGH. A path that has no current directory to start from is relative. */
    char *name_space; /* the last element of the root */
    const char *id;
    char *root;
    char *bundle; /* of CREATE alone */
    bool force;   /* of DELETE alone */
};

/* The namespace, the root and the bundle are to be freed. */
struct command parse_command(char **argv);

#endif
