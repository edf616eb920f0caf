/*
 * Reads the settings as the launcher does, once for each file that is named, and prints what it
 * has: problem, run_dir, state_dir, log_file, runtime; each ends with NUL. "?" is a value that is not
 * known.
 */
#define _GNU_SOURCE
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>

static void print(const char *text, const char *otherwise) {
    fputs(text == NULL ? otherwise : text, stdout);
    putchar('\0');
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        setenv("TARDIS_CONFIG", argv[i], 1);
        struct settings settings = read_settings();
        print(settings.problem, "");
        print(settings.run_dir, "?");
        print(settings.state_dir, "?");
        print(settings.log_file, "?");
        print(settings.runtime, settings.runtime_known ? "" : "?");
    }
    return 0;
}
