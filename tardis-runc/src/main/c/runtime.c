#define _GNU_SOURCE
#include "runtime.h"

#include "files.h"
#include "text.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LAUNCHER = 2 * 1024 * 1024, MAX_ANCESTORS = 64 };

/* Tells a copy of this program from a runtime; kept apart from the code that looks for it. */
static const char MARK[] = "\x7fTARDIS-RUNC-LAUNCHER\x7f";

/* ------------------------------------------------------------------------ which runtime it is */

/* Whether it is this program, under whatever name: starting it would never end. */
static bool is_launcher(const char *file, const struct stat *status) {
    struct stat own;
    if (stat("/proc/self/exe", &own) == 0 && own.st_dev == status->st_dev
        && own.st_ino == status->st_ino) {
        return true;
    }
    /* One that cannot be read may run all the same: a copy is found out by the mark that it gets. */
    return look_for(file, MARK, sizeof MARK - 1, MAX_LAUNCHER) == WITH;
}

static bool is_runtime(const char *file) {
    struct stat status;
    return stat(file, &status) == 0 && S_ISREG(status.st_mode) && access(file, X_OK) == 0
           && !is_launcher(file, &status);
}

char *find_runtime(const char *configured) {
    const char *name = configured == NULL ? "runc" : configured;
    if (strchr(name, '/') != NULL) {
        return is_runtime(name) ? join("%s", name) : NULL;
    }
    const char *path = getenv("PATH");
    char *rest = join("%s", path == NULL || *path == '\0' ? DEFAULT_PATH : path);
    for (char *directory; (directory = strsep(&rest, ":")) != NULL;) {
        char *file = join("%s/%s", directory, name);
        /* An empty element would be the current directory, a bundle perhaps. */
        if (*directory != '\0' && is_runtime(file)) {
            return file;
        }
        free(file);
    }
    return NULL;
}

/* ---------------------------------------------------------------------------- no round trips */

static uint64_t add(uint64_t hash, const char *text) {
    do { /* FNV-1a, the NUL too */
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    } while (*text++ != '\0');
    return hash;
}

/* By the subcommand and the last word: a wrapper adds options, before them most of the time. */
struct mark make_mark(pid_t launcher, const struct command *command, char **argv) {
    const char *last = "";
    for (char **argument = argv; *argument != NULL; argument++) {
        last = *argument;
    }
    uint64_t hash = add(UINT64_C(14695981039346656037), command->name == NULL ? "" : command->name);
    struct mark mark = {.pid = launcher, .command = add(hash, last)};
    pid_t parent;
    (void)look_at_process(launcher, &mark.start, &parent); /* without /proc the pid has to do */
    return mark;
}

static bool comes_from(const struct mark *mark) {
    uint64_t start;
    pid_t parent = getppid();
    for (int i = 0; i < MAX_ANCESTORS && parent > 1; i++) {
        pid_t pid = parent;
        if (!look_at_process(pid, &start, &parent)) {
            return false;
        }
        if (pid == mark->pid) {
            return start == mark->start;
        }
    }
    return false;
}

bool is_round_trip(const struct mark *own) {
    const char *text = getenv(MARK_VARIABLE);
    struct mark found;
    if (text == NULL
        || sscanf(text, "%d:%" SCNu64 ":%" SCNx64, &found.pid, &found.start, &found.command) != 3) {
        return false;
    }
    if (found.pid == own->pid) {
        return found.start == own->start;
    }
    return found.command == own->command && comes_from(&found);
}

void leave_mark(const struct mark *own) {
    char *text = join("%d:%" PRIu64 ":%" PRIx64, (int)own->pid, own->start, own->command);
    (void)setenv(MARK_VARIABLE, text, 1);
    free(text);
}
