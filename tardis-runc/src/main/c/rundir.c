#define _GNU_SOURCE
#include "rundir.h"

#include "files.h"
#include "log.h"
#include "settings.h"
#include "text.h"
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* Tells one state of the settings file from another. */
static void identify_settings(char text[128]) {
    struct stat status;
    if (stat(settings_file(), &status) != 0) {
        strcpy(text, "none");
        return;
    }
    snprintf(text, 128, "%llu:%llu:%lld:%lld%09ld", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino, (long long)status.st_size,
             (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

struct failure read_failure(int run_dir) {
    char text[MAX_FAILURE];
    struct failure failure = {.is_there = read_text(run_dir, FAILURE, text, sizeof text)};
    char asked[4] = "";
    (void)sscanf(text,
                 "failures=%lu since=%31s retry_at_boot_ms=%" SCNd64 " settings=%127s asked=%3s",
                 &failure.failures, failure.since, &failure.retry_at_boot_ms, failure.settings,
                 asked);
    failure.is_silent = strcmp(asked, "no") == 0;
    return failure;
}

bool is_due(const struct failure *failure) {
    char settings[sizeof failure->settings];
    identify_settings(settings);
    int64_t left = failure->retry_at_boot_ms - time_ms(CLOCK_BOOTTIME);
    /* More than the longest delay: it was written before the machine was started. */
    return left <= 0 || left > MAX_DELAY_MS || strcmp(settings, failure->settings) != 0;
}

void write_failure(int run_dir, const struct failure *before, bool is_silent, bool is_watched,
                   const char *log_file, char *reason) {
    const int64_t delay = is_watched || before->failures >= 6 ? MAX_DELAY_MS
                                                              : (int64_t)1000 << before->failures;
    char settings[sizeof before->settings];
    char since[TIME_TEXT];
    identify_settings(settings);
    write_time(since);
    for (char *c = reason; *c != '\0'; c++) {
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    }
    char *text = join("failures=%lu\nsince=%s\nretry_at_boot_ms=%lld\nsettings=%s\nasked=%s\nreason=%.*s\n",
                      before->failures + 1, *before->since == '\0' ? since : before->since,
                      (long long)(time_ms(CLOCK_BOOTTIME) + delay), settings,
                      is_silent ? "no" : "yes", MAX_REASON, reason);
    /* On a full disk a part of it, or nothing, has the same effect: nobody waits. */
    (void)write_text(run_dir, BESIDE, text);
    (void)renameat(run_dir, BESIDE, run_dir, FAILURE);
    log_warning(log_file, join("%s; containers go on without it, and it is tried again in %lld s",
                               reason, (long long)delay / 1000));
    free(text);
    free(reason);
}

void remove_failure(int run_dir) {
    (void)unlinkat(run_dir, FAILURE, 0);
}

/* ------------------------------------------------------------------------------- last-start */

struct last_start read_last_start(int run_dir) {
    char text[64];
    struct last_start last = {0, 0};
    (void)read_text(run_dir, LAST_START, text, sizeof text);
    (void)sscanf(text, "answered_at_boot_ms=%" SCNd64 " deaths=%lu", &last.answered_at_boot_ms,
                 &last.deaths);
    return last;
}

void write_last_start(int run_dir, struct last_start last) {
    char *text = join("answered_at_boot_ms=%lld\ndeaths=%lu\n",
                      (long long)last.answered_at_boot_ms, last.deaths);
    (void)write_text(run_dir, LAST_START, text);
    free(text);
}

/* ----------------------------------------------------------------------------------- missed */

bool is_missed(const char *run_dir, const struct command *command) {
    return may_exist(join("%s/missed/%s:%s", run_dir, command->name_space, command->id));
}

static bool are_too_many(DIR *notes) {
    int count = -2; /* . and .. */
    rewinddir(notes);
    while (readdir(notes) != NULL) {
        count++;
    }
    return count >= MAX_NOTES;
}

/* The file, locked, under its name; or -1 and why. */
static int open_note(DIR *notes, const char *name, struct stat *status, const char **problem) {
    const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW;
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = open_file(dirfd(notes), name, flags, 0);
        if (fd < 0 && errno == ENOENT) {
            if (are_too_many(notes)) {
                *problem = "calls of 4096 other containers wait for the daemon already";
                return -1;
            }
            fd = open_file(dirfd(notes), name, flags | O_CREAT, 0600);
        }
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fd < 0) {
            *problem = strerror(errno);
            return -1;
        }
        if (fcntl(fd, F_SETLK, &lock) != 0) {
            sleep_ms(1); /* the daemon looks whether it has grown */
        } else if (fstat(fd, status) == 0 && status->st_nlink > 0) {
            return fd;
        }
        close(fd); /* the daemon has just removed it */
    }
    *problem = "its file is locked";
    return -1;
}

const char *leave_note(int run_dir, const struct command *command, const struct request *request) {
    static struct {
        uint64_t time;
        char frame[sizeof request->bytes];
    } record;
    record.time = htobe64((uint64_t)time_ms(CLOCK_REALTIME));
    memcpy(record.frame, request->bytes, request->length);
    const size_t size = sizeof record.time + request->length;

    (void)mkdirat(run_dir, "missed", S_IRWXU);
    int missed = open_file(run_dir, "missed", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    DIR *notes = missed < 0 ? NULL : fdopendir(missed);
    if (notes == NULL) {
        return strerror(errno);
    }
    char *name = join("%s:%s", command->name_space, command->id);
    const char *problem = NULL;
    struct stat status;
    int fd = open_note(notes, name, &status, &problem);
    if (fd >= 0 && (size_t)status.st_size + size > MAX_NOTE) {
        problem = "too many calls of it wait for the daemon already";
    } else if (fd >= 0 && !write_all(fd, (const char *)&record, size)) {
        problem = strerror(errno);
        (void)ftruncate(fd, status.st_size);
        if (status.st_size == 0) {
            (void)unlinkat(dirfd(notes), name, 0);
        }
    }
    close(fd);
    closedir(notes);
    free(name);
    return problem;
}
