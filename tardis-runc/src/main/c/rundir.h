/*
 * What stands in the run directory while no daemon answers. The directory is this user's alone: who
 * could write there could hold containers up.
 *
 *   tardis.sock    the daemon's
 *   start.lock     locked (fcntl, exclusive) by who starts a daemon, or looks after one that hangs
 *   start.log      what the last daemon that was started wrote on stdout and stderr
 *   start-failed   no daemon answers, and why; it is there only while that is so
 *   last-start     when the last daemon that was started answered; 'tardis stop' removes it
 *   missed/NS:ID   calls of a container that went on without the daemon, for it to catch up on
 */
#ifndef TARDIS_RUNDIR_H
#define TARDIS_RUNDIR_H

#include "command.h"
#include "daemon.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The directory, which is made if it is not there, or -1: also if others may write to it. The mode
 * of one that is there is not changed: a setting may name a directory that is not Tardis's.
 */
int open_run_dir(const char *run_dir);

/* The pid that holds the exclusive lock; 0: nobody, -1: somebody in another pid namespace. */
pid_t lock_holder(int fd);

/*
 * start-failed: UTF-8, a line for each field, "name=value", in this order. Its times are of CLOCK_BOOTTIME, for the
 * directory goes with the boot.
 */
struct failure {
    bool is_there;
    bool is_silent;           /* somebody listens, but does not answer: asking costs time */
    unsigned long failures;   /* in a row */
    char since[32];           /* the first of them */
    int64_t retry_at_boot_ms; /* nobody tries it before, unless the settings file changes */
    char settings[128];       /* which settings file that was: device:inode:size:mtime */
};

/* A file that tells less is there all the same, and due. */
struct failure read_failure(int run_dir);

/* Whether it is to be tried again. */
bool is_due(const struct failure *failure);

/*
 * Notes and logs one failure more, and frees the reason. The note is written beside and renamed:
 * whoever looks sees all of it, or what was. It is tried again after a second, twice as long for each
 * failure in a row, up to a minute; after a minute, too, if a starter watches what it is about.
 */
void write_failure(int run_dir, const struct failure *before, bool is_silent, bool is_watched,
                   const char *log_file, char *reason);

void remove_failure(int run_dir);

/*
 * last-start: the last daemon that a starter has started, "name=value" in two lines. Only the holder
 * of start.lock reads and writes it. One that cannot be read or written is none: its end counts as
 * the first.
 */
struct last_start {
    int64_t answered_at_boot_ms; /* 0: there was none, or its end has been counted */
    unsigned long deaths;        /* of those before it that were gone soon after, in a row */
};

struct last_start read_last_start(int run_dir);

void write_last_start(int run_dir, struct last_start last);

/* Whether a call of this container went on without the daemon, which has not caught up yet. */
bool is_missed(const char *run_dir, const struct command *command);

/*
 * Adds a call: the wall clock in milliseconds (u64, big-endian), and the request as it would have
 * been sent. It is added under an exclusive lock (fcntl) on a file that has its name then: a reader
 * that takes the lock, reads, and removes the file before it lets go loses nothing.
 *
 * Returns NULL, or why it could not be added.
 */
const char *leave_note(int run_dir, const struct command *command, const struct request *request);

#endif
