/* The real runtime: which one it is, and how this process becomes it. */
#ifndef TARDIS_RUNTIME_H
#define TARDIS_RUNTIME_H

#include "command.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MARK_VARIABLE "TARDIS_LAUNCHER"
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * The mark that the runtime gets in its environment: the launcher (pid and start time), and what it
 * was asked for. A runtime that leads back is that process again, or a child of it, with the same
 * command. Another command below it is none: runc's hooks may call a runtime.
 */
struct mark {
    pid_t pid;
    uint64_t start;
    uint64_t command;
};

/* This launcher's; its pid is given, for another process may do its work. */
struct mark make_mark(pid_t launcher, const struct command *command, char **argv);

/* Whether the environment has a mark which says that the runtime has led back here. */
bool is_round_trip(const struct mark *own);

/* The file to be run, or NULL. What is configured is never replaced by another one. */
char *find_runtime(const char *configured);

/* Puts it into the environment, in the place of another launcher's. */
void leave_mark(const struct mark *own);

#endif
