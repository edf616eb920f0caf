/* Files, the clock, processes. */
#ifndef TARDIS_FILES_H
#define TARDIS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As openat, close-on-exec, and without waiting for whoever is at a FIFO's other end. */
int open_file(int directory, const char *path, int flags, mode_t mode);

/*
 * Does some work where it finds a few free descriptors. If the caller has used all of them up, that
 * is a process which shares the memory, but has a table of descriptors of its own, an empty one.
 */
void with_descriptors(void (*work)(void *), void *what);

/*
 * Does some work in a process of its own, and waits for that; false if there can be none. No SIGCHLD
 * tells of its end: what the caller does about signals is not touched.
 */
bool in_own_process(void (*work)(void *), void *what);

/* Closes all descriptors from this number on. */
void close_from(int first);

/* A look into a file that others have made, or may replace and cut meanwhile. */
enum look {
    ABSENT,
    WITHOUT, /* it is read, and the text is not in it */
    WITH,
    UNREADABLE /* errno says why; EISDIR: not a regular file, EFBIG: larger than the limit */
};

enum look look_for(const char *file, const void *text, size_t length, off_t limit);

/* "larger than 8 MiB" and the like, for an errno. */
const char *why(int error);

/* Reads up to size bytes, as far as the file goes; -1 and errno if that is impossible. */
ssize_t read_all(int fd, char *bytes, size_t size);

bool write_all(int fd, const char *bytes, size_t length);

/* Of a clock that goes on while the machine sleeps; what /proc tells of processes is measured by it. */
int64_t boot_ms(void);

void sleep_ms(long ms);

/* When a process began, in ticks since the boot, and its parent; false if there is none. */
bool look_at_process(pid_t pid, uint64_t *start, pid_t *parent);

/* Makes the directories above, as far as they are missing. */
void make_parents(const char *path);

#endif
