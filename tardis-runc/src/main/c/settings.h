/*
 * The settings that the launcher needs, read as io.tardis.core.config.SettingsReader reads them.
 * The grammar is described there; the vectors in settings-vectors.txt test both readers.
 *
 * What one reader refuses, the other refuses. Only unknown keys differ: the launcher passes over
 * them, as the tardis commands refuse them before a daemon runs with them.
 */
#ifndef TARDIS_SETTINGS_H
#define TARDIS_SETTINGS_H

#include <stdbool.h>

enum settings_state {
    SETTINGS_READ,
    SETTINGS_ABSENT,    /* there is no settings file: the defaults and the environment hold */
    SETTINGS_UNREADABLE /* the file cannot be read, or something in it is refused */
};

struct settings {
    enum settings_state state;
    /* All three are of SETTINGS_UNREADABLE. */
    char *problem; /* which file or line, and why: one line of text, for a log */
    int error;     /* the errno of a file that cannot be read, or 0 */
    unsigned line; /* the first line that is refused; 0: the whole file, or the environment */

    /* NULL: not known, because the file cannot be read, or the line that names it is refused. */
    char *run_dir;
    char *state_dir;
    char *log_file;

    /* NULL and runtime_known: nothing is configured, the first runc on PATH is meant. */
    char *runtime;
    bool runtime_known;
};

/* Reads the settings file and the environment. */
struct settings read_settings(void);

#endif
