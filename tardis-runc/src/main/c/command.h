/* runc's command line, as io.tardis.runc.RuncCommandLine reads it. */
#ifndef TARDIS_COMMAND_H
#define TARDIS_COMMAND_H

#include <stdbool.h>

enum kind { PASS_THROUGH, CREATE, START, DELETE };

struct command {
    enum kind kind;
    const char *name; /* of the subcommand; NULL if there is none */
    char *name_space;
    const char *id;
    const char *bundle;
    const char *log;
    bool log_json;
};

struct command parse_command(char **argv);

#endif
