#define _GNU_SOURCE
#include "jvm.h"

#include "text.h"
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { FAILED = 1, MOST_LINKS = 40 /* as in the kernel */ };

/* As lib/tardis-jvm does: the links of the last name only. Empty if that leads nowhere. */
static void without_links(char *path) {
    char target[PATH_MAX];
    for (int links = 0; links < MOST_LINKS; links++) {
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0) {
            return;
        }
        target[length] = '\0';
        char *slash = *target == '/' ? NULL : strrchr(path, '/');
        size_t kept = slash == NULL ? 0 : (size_t)(slash + 1 - path);
        if (kept + (size_t)length >= PATH_MAX) {
            break;
        }
        memcpy(path + kept, target, (size_t)length + 1);
    }
    *path = '\0';
}

static char *script_beside(char *program) {
    return join("%s/../lib/tardis-jvm", dirname(program));
}

_Noreturn void become_jvm(char **argv) {
    char program[PATH_MAX] = "";
    const char *called = (const char *)getauxval(AT_EXECFN); /* what execve was given */
    if (called != NULL && strlen(called) < sizeof program) {
        strcpy(program, called);
        without_links(program);
    }
    char *script = script_beside(program);
    if (*program == '\0' || access(script, X_OK) != 0) {
        /* Called by a descriptor, or from a directory that is gone. */
        ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
        program[length < 0 ? 0 : length] = '\0';
        script = script_beside(program);
    }
    char *name = argv[0];
    argv[0] = script;
    execv(script, argv);
    (void)dprintf(STDERR_FILENO, "%s: %s cannot be run: %s\n", name, script, strerror(errno));
    _exit(FAILED);
}
