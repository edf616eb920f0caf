#define _GNU_SOURCE
#include "rundir.h"

#include "files.h"
#include "log.h"
#include "text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_DELAY_MS = 60000,
    MAX_FAILURE = 2048,
    MAX_REASON = 500,
    MAX_NOTES = 4096,
    MAX_NOTE = 64 * 1024,
    LOCK_TRIES = 20
};

static const char FAILURE[] = "start-failed";
static const char BESIDE[] = ".start-failed";
static const char LAST_START[] = "last-start";

int open_run_dir(const char *run_dir) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    int fd = open_file(AT_FDCWD, run_dir, flags, 0);
    if (fd < 0 && errno == ENOENT) {
        make_parents(run_dir);
        bool made = mkdir(run_dir, S_IRWXU) == 0;
        fd = open_file(AT_FDCWD, run_dir, flags, 0);
        if (fd >= 0 && made) {
            (void)fchmod(fd, S_IRWXU); /* whatever the caller's umask */
        }
    }
    struct stat status;
    if (fd >= 0
        && (fstat(fd, &status) != 0 || status.st_uid != geteuid()
            || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

pid_t lock_holder(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) {
        return 0;
    }
    return lock.l_pid > 0 ? lock.l_pid : -1;
}

/* ----------------------------------------------------------------------------- start-failed */

int64_t delay_after(unsigned long failures) {
    return failures >= 7 ? MAX_DELAY_MS : (int64_t)1000 << (failures - 1);
}

/* Tells one state of the settings file from another. */
static void identify_settings(char text[128]) {
    const char *named = getenv("TARDIS_CONFIG");
    struct stat status;
    if (stat(named != NULL && *named != '\0' ? named : "/etc/tardis/tardis.env", &status) != 0) {
        strcpy(text, "none");
        return;
    }
    snprintf(text, 128, "%llu:%llu:%lld:%lld%09ld", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino, (long long)status.st_size,
             (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

void read_failure(const char *run_dir, struct failure *failure) {
    *failure = (struct failure){.is_there = false};
    char text[MAX_FAILURE];
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", run_dir, FAILURE);
    int fd = length < 0 || (size_t)length >= sizeof path
                     ? -1
                     : open_file(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);
    if (fd < 0) {
        return;
    }
    struct stat status;
    ssize_t size = -1;
    if (fstat(fd, &status) == 0 && (status.st_uid == geteuid() || status.st_uid == 0)) {
        failure->is_there = true;
        size = S_ISREG(status.st_mode) ? read_all(fd, text, sizeof text - 1) : -1;
    }
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        long long number;
        if (sscanf(line, "failures=%lld", &number) == 1 && number > 0) {
            failure->failures = (unsigned long)number;
        } else if (sscanf(line, "retry_at_boot_ms=%lld", &number) == 1) {
            failure->retry_at_boot_ms = number;
        } else if (strcmp(line, "asked=no") == 0) {
            failure->is_silent = true;
        } else if (sscanf(line, "since=%31s", failure->since) != 1) {
            (void)sscanf(line, "settings=%127s", failure->settings);
        }
    }
}

bool is_due(const struct failure *failure) {
    char settings[sizeof failure->settings];
    identify_settings(settings);
    int64_t left = failure->retry_at_boot_ms - boot_ms();
    /* More than the longest delay: it was written before the machine was started. */
    return left <= 0 || left > MAX_DELAY_MS || strcmp(settings, failure->settings) != 0;
}

bool write_failure(int run_dir, const struct failure *before, bool is_silent, const char *reason,
                   int64_t delay_ms) {
    char settings[sizeof before->settings];
    char since[sizeof before->since];
    identify_settings(settings);
    strcpy(since, before->since);
    if (*since == '\0') {
        write_time(since);
    }
    char *line = copy(reason, strnlen(reason, MAX_REASON));
    for (char *c = line; *c != '\0'; c++) {
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    }
    char *text = join("failures=%lu\nsince=%s\nretry_at_boot_ms=%lld\nsettings=%s\nasked=%s\nreason=%s\n",
                      before->failures + 1, since,
                      (long long)(boot_ms() + delay_ms), settings, is_silent ? "no" : "yes", line);
    int fd = open_file(run_dir, BESIDE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    bool written = fd >= 0 && write_all(fd, text, strlen(text));
    if (fd >= 0) {
        close(fd);
        /* On a full disk a part of it, or nothing, has the same effect: nobody waits. */
        written = renameat(run_dir, BESIDE, run_dir, FAILURE) == 0 && written;
    }
    free(text);
    free(line);
    return written;
}

void remove_failure(int run_dir) {
    (void)unlinkat(run_dir, FAILURE, 0);
}

/* ------------------------------------------------------------------------------- last-start */

struct last_start read_last_start(int run_dir) {
    struct last_start last = {0, 0};
    char text[64];
    int fd = open_file(run_dir, LAST_START, O_RDONLY | O_NOFOLLOW, 0);
    ssize_t size = fd < 0 ? -1 : read_all(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[size > 0 ? size : 0] = '\0';
    long long answered_at;
    if (sscanf(text, "answered_at_boot_ms=%lld\ndeaths=%lu", &answered_at, &last.deaths) == 2) {
        last.answered_at_boot_ms = answered_at;
    }
    return last;
}

void write_last_start(int run_dir, const struct last_start *last) {
    int fd = open_file(run_dir, LAST_START, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        char *text = join("answered_at_boot_ms=%lld\ndeaths=%lu\n",
                          (long long)last->answered_at_boot_ms, last->deaths);
        (void)write_all(fd, text, strlen(text));
        free(text);
        close(fd);
    }
}

/* ----------------------------------------------------------------------------------- missed */

bool is_missed(const char *run_dir, const struct command *command) {
    char path[PATH_MAX];
    struct stat status;
    int length = snprintf(path, sizeof path, "%s/missed/%s:%s", run_dir, command->name_space,
                          command->id);
    return length > 0 && (size_t)length < sizeof path && lstat(path, &status) == 0;
}

/* How many there are; more than are allowed if that cannot be told. */
static int count_notes(int missed) {
    int fd = open_file(missed, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *all = fd < 0 ? NULL : fdopendir(fd);
    if (all == NULL) {
        return MAX_NOTES;
    }
    int count = -2; /* . and .. */
    while (readdir(all) != NULL) {
        count++;
    }
    closedir(all);
    return count;
}

/* The file, locked, under its name; or -1 and why. */
static int open_note(int missed, const char *name, const char **problem) {
    for (int i = 0; i < LOCK_TRIES; i++) {
        const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW;
        int fd = open_file(missed, name, flags, 0);
        if (fd < 0 && errno == ENOENT) {
            if (count_notes(missed) >= MAX_NOTES) {
                *problem = "calls of 4096 other containers wait for the daemon already";
                return -1;
            }
            fd = open_file(missed, name, flags | O_CREAT, 0600);
        }
        if (fd < 0) {
            *problem = strerror(errno);
            return -1;
        }
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        struct stat status;
        bool locked = fcntl(fd, F_SETLK, &lock) == 0;
        if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
            *problem = "something else is in the place of its file";
            close(fd);
            return -1;
        }
        if (locked && status.st_nlink > 0) {
            return fd;
        }
        close(fd); /* the daemon reads it, or has just removed it */
        if (!locked) {
            sleep_ms(1);
        }
    }
    *problem = "its file is locked";
    return -1;
}

const char *leave_note(int run_dir, const struct command *command, const struct request *request) {
    static struct {
        unsigned char time[8];
        char frame[sizeof request->bytes];
    } record;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (int i = 0; i < 8; i++) {
        record.time[i] = (unsigned char)(ms >> (56 - 8 * i));
    }
    memcpy(record.frame, request->bytes, request->length);
    const size_t size = sizeof record.time + request->length;

    (void)mkdirat(run_dir, "missed", S_IRWXU);
    int missed = open_file(run_dir, "missed", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (missed < 0) {
        return strerror(errno);
    }
    char *name = join("%s:%s", command->name_space, command->id);
    const char *problem = NULL;
    int fd = open_note(missed, name, &problem);
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0) {
        if ((size_t)status.st_size + size > MAX_NOTE) {
            problem = "too many calls of it wait for the daemon already";
        } else if (!write_all(fd, (const char *)&record, size)) {
            problem = strerror(errno);
            (void)ftruncate(fd, status.st_size);
            if (status.st_size == 0) {
                (void)unlinkat(missed, name, 0);
            }
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    close(missed);
    free(name);
    return problem;
}
