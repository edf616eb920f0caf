#define _GNU_SOURCE
#include "files.h"

#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SPARE = 8, STACK = 256 * 1024 };

struct task {
    void (*work)(void *);
    void *what;
};

static bool has_spare_descriptors(void) {
    int spare[SPARE];
    int count = 0;
    spare[0] = open("/", O_PATH | O_CLOEXEC);
    while (spare[count] >= 0 && ++count < SPARE) {
        spare[count] = fcntl(spare[0], F_DUPFD_CLOEXEC, 0);
    }
    bool enough = count == SPARE;
    while (count > 0) {
        close(spare[--count]);
    }
    return enough;
}

/* Closes all descriptors from this number on. */
static void close_from(int first) {
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) != 0) { /* before Linux 5.9 */
        for (long fd = first, end = sysconf(_SC_OPEN_MAX); fd < end; fd++) {
            close((int)fd);
        }
    }
}

static int work_apart(void *argument) {
    const struct task *task = argument;
    close_from(0);
    task->work(task->what);
    return 0;
}

void with_descriptors(void (*work)(void *), void *what) {
    static _Alignas(16) char stack[STACK];
    struct task task = {work, what};
    /* As vfork does: this process waits. Without a signal at the end, the caller's are as they were. */
    pid_t child = has_spare_descriptors()
                          ? -1
                          : clone(work_apart, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &task);
    if (child < 0) {
        work(what);
        return;
    }
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR) {
    }
}

int open_file(int directory, const char *path, int flags, mode_t mode) {
    int fd;
    do {
        fd = openat(directory, path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

ssize_t read_all(int fd, char *bytes, size_t size) {
    size_t length = 0;
    while (length < size) {
        ssize_t n = read(fd, bytes + length, size - length);
        if (n == 0) {
            break;
        }
        if (n > 0) {
            length += (size_t)n;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)length;
}

bool read_text(int directory, const char *path, char *text, size_t size) {
    int fd = open_file(directory, path, O_RDONLY | O_NOFOLLOW, 0);
    ssize_t length = read_all(fd, text, size - 1); /* without a file it fails, too */
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    return fd >= 0;
}

bool write_all(int fd, const char *bytes, size_t length) {
    /* Where the caller limits the size of files, a write would end this process by SIGXFSZ. */
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    (void)sigaction(SIGXFSZ, &ignore, &before);
    ssize_t n;
    do {
        n = write(fd, bytes, length);
    } while (n < 0 && errno == EINTR);
    int error = errno;
    (void)sigaction(SIGXFSZ, &before, NULL);
    errno = error;
    return n >= 0 && (size_t)n == length; /* a file takes all, or the disk is full */
}

bool write_text(int directory, const char *path, const char *text) {
    int fd = open_file(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    bool written = write_all(fd, text, strlen(text));
    close(fd);
    return written;
}

bool may_exist(char *path) {
    struct stat status;
    bool may = lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
    free(path);
    return may;
}

int open_regular(const char *file, off_t limit) {
    int fd = open_file(AT_FDCWD, file, O_RDONLY, 0);
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0) {
        int error = !S_ISREG(status.st_mode) ? EISDIR : status.st_size > limit ? EFBIG : 0;
        if (error == 0) {
            return fd;
        }
        close(fd);
        errno = error;
    }
    return -1;
}

enum look look_for(const char *file, const void *text, size_t length, off_t limit) {
    int fd = open_regular(file, limit);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? WITHOUT : UNREADABLE;
    }
    /* Read, not mapped: who cuts a mapped file ends its reader by SIGBUS. */
    char *bytes = malloc((size_t)limit + 1); /* only what the file fills takes memory */
    ssize_t size = bytes == NULL ? -1 : read_all(fd, bytes, (size_t)limit + 1);
    int error = size > limit ? EFBIG : errno; /* it grew meanwhile */
    bool found = size > 0 && memmem(bytes, (size_t)size, text, length) != NULL;
    free(bytes);
    close(fd);
    errno = error;
    return found ? WITH : size < 0 || size > limit ? UNREADABLE : WITHOUT;
}

const char *why(int error) {
    return error == EISDIR  ? "it is not a regular file"
           : error == EFBIG ? "it is larger than it may be"
                            : strerror(error);
}

int64_t time_ms(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

bool look_at_process(pid_t pid, uint64_t *start, pid_t *parent) {
    char path[sizeof "/proc/2147483647/stat"];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_text(AT_FDCWD, path, text, sizeof text)) {
        return false;
    }
    /* Fields are numbered from 1; the second is the name, which may hold anything, in brackets. */
    const char *rest = strrchr(text, ')');
    unsigned long long ticks;
    int number;
    if (rest == NULL
        || sscanf(rest + 1,
                  " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                  &number, &ticks)
                   != 2) {
        return false;
    }
    *parent = number;
    *start = ticks;
    return true;
}

bool do_apart(void (*work)(void *), void *what, int patience_ms) {
    int done[2];
    if (pipe2(done, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t child = (pid_t)syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL);
    if (child == 0) {
        if (fork() == 0) { /* an orphan: the runtime is to have no child that it does not know */
            dup2(done[1], STDIN_FILENO);
            close_from(STDIN_FILENO + 1);
            work(what);
        }
        _exit(0);
    }
    while (child > 0 && waitpid(child, NULL, __WALL) < 0 && errno == EINTR) {
    }
    close(done[1]);
    (void)poll(&(struct pollfd){.fd = done[0], .events = POLLIN}, 1, patience_ms);
    close(done[0]);
    return child > 0;
}

void make_parents(const char *path) {
    char *part = join("%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(part, 0755); /* what fails here fails again below */
        *slash = '/';
    }
    free(part);
}
