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
 * Does some work in a process of its own that outlives this one, and waits, but not for long, until
 * that closes its standard input, or ends. It has no other descriptor. False if there can be none. No
 * SIGCHLD tells of its end: what the caller does about signals is not touched.
 */
bool do_apart(void (*work)(void *), void *what, int patience_ms);

/* Whether something has that name, or it cannot be told. The path is freed. */
bool may_exist(char *path);

/* Opens a file that others have made for reading; EISDIR: not a regular one, EFBIG: too large. */
int open_regular(const char *file, off_t limit);

/* A look into a file that others have made, or may replace and cut meanwhile. */
enum look {
    WITHOUT, /* also: there is no such file */
    WITH,
    UNREADABLE /* errno says why, as for open_regular */
};

enum look look_for(const char *file, const void *text, size_t length, off_t limit);

/* "larger than it may be" and the like, for an errno. */
const char *why(int error);

/* Reads up to size bytes, as far as the file goes; -1 and errno if that is impossible. */
ssize_t read_all(int fd, char *bytes, size_t size);

/* Reads a small file as a text, "" if that is impossible; false if it cannot be opened. */
bool read_text(int directory, const char *path, char *text, size_t size);

bool write_all(int fd, const char *bytes, size_t length);

/* Writes a text as the whole of a file. */
bool write_text(int directory, const char *path, const char *text);

/* In milliseconds. CLOCK_BOOTTIME goes on while the machine sleeps; /proc measures processes by it. */
int64_t time_ms(clockid_t clock);

void sleep_ms(long ms);

/* When a process began, in ticks since the boot, and its parent; false if there is none. */
bool look_at_process(pid_t pid, uint64_t *start, pid_t *parent);

/* Makes the directories above, as far as they are missing. */
void make_parents(const char *path);

#endif
