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

struct settings {
    char *problem; /* NULL, or which file or line is refused, and why: one line of text, for a log */

    /* NULL: not known, because the file cannot be read, or the line that names it is refused. */
    char *run_dir;
    char *state_dir;
    char *log_file;

    /* NULL and runtime_known: nothing is configured, the first runc on PATH is meant. */
    char *runtime;
    bool runtime_known;
};

/* Where the settings file is, or would be. */
const char *settings_file(void);

/* Reads the settings file, if there is one, and the environment. */
struct settings read_settings(void);

#endif
