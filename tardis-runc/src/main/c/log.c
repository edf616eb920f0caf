#define _GNU_SOURCE
#include "log.h"

#include "files.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 100 };

/* Links are followed, as the daemon does, and runc. */
static int open_log(const char *file) {
    return open_file(AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT, 0600);
}

static void append(const char *file, const char *line) {
    int fd = open_log(file);
    if (fd < 0 && errno == ENOENT) {
        make_parents(file); /* as the daemon does when it first starts */
        fd = open_log(file);
    }
    if (fd >= 0) {
        (void)write_all(fd, line, strlen(line)); /* nobody is left to be told */
        close(fd);
    }
}

struct entry {
    const char *file;
    const char *line;
    int written; /* closed when it is */
};

static void append_detached(void *argument) {
    const struct entry *entry = argument;
    if (fork() == 0) {
        dup2(entry->written, 0);
        close_from(1);
        append(entry->file, entry->line);
    }
}

/*
 * The same in a process of its own, with no descriptor of the caller's, which is waited for a moment:
 * a disk that hangs must not hold the container up.
 */
static void append_apart(const char *file, const char *line) {
    int written[2];
    if (pipe2(written, O_CLOEXEC) != 0) {
        append(file, line);
        return;
    }
    if (!in_own_process(append_detached, &(struct entry){file, line, written[1]})) {
        append(file, line);
    }
    close(written[1]);
    (void)poll(&(struct pollfd){.fd = written[0], .events = POLLIN}, 1, PATIENCE_MS);
    close(written[0]);
}

void write_time(char text[TIME_TEXT]) {
    time_t seconds = time(NULL);
    struct tm parts;
    strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
}

void clean(char *text) {
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\') {
            *text = '?';
        }
    }
}

static void tell(const char *log_file, const char *level, const char *time, const char *message) {
    if (log_file != NULL) {
        char *line = join("%s %s tardis-runc: %s\n", time, level, message);
        append_apart(log_file, line);
        free(line);
    }
}

void log_warning(const char *log_file, char *message) {
    char time[TIME_TEXT];
    write_time(time);
    clean(message);
    tell(log_file, "WARN", time, message);
    free(message);
}

void log_error(const char *log_file, const struct command *command, char *message) {
    char time[TIME_TEXT];
    write_time(time);
    clean(message);
    tell(log_file, "ERROR", time, message);
    if (command->log != NULL) {
        char *line = command->log_json
                             ? join("{\"level\":\"error\",\"msg\":\"tardis-runc: %s\",\"time\":\"%s\"}\n",
                                    message, time)
                             : join("time=\"%s\" level=error msg=\"tardis-runc: %s\"\n", time,
                                    message);
        append(command->log, line);
        free(line);
    }
    free(message);
}
