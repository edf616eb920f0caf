#define _GNU_SOURCE
#include "log.h"

#include "files.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 100 };

struct entry {
    const char *file;
    const char *line;
};

/* Links are followed, as the daemon does, and runc. */
static void append(void *argument) {
    static const int FLAGS = O_WRONLY | O_APPEND | O_CREAT;
    const struct entry *entry = argument;
    int fd = open_file(AT_FDCWD, entry->file, FLAGS, 0600);
    if (fd < 0 && errno == ENOENT) {
        make_parents(entry->file); /* as the daemon does when it first starts */
        fd = open_file(AT_FDCWD, entry->file, FLAGS, 0600);
    }
    (void)write_all(fd, entry->line, strlen(entry->line)); /* nobody is left to be told */
    close(fd);
}

void write_time(char text[TIME_TEXT]) {
    time_t seconds = time(NULL);
    struct tm parts;
    strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
}

/* Replaces what could break a line, or leave a JSON string. */
static void clean(char *text) {
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\') {
            *text = '?';
        }
    }
}

static void tell(const char *log_file, const char *level, char *message) {
    char time[TIME_TEXT];
    write_time(time);
    clean(message);
    if (log_file != NULL) {
        struct entry entry = {log_file, join("%s %s tardis-runc: %s\n", time, level, message)};
        /* A disk that hangs must not hold the container up. */
        if (!do_apart(append, &entry, PATIENCE_MS)) {
            append(&entry);
        }
    }
}

void log_warning(const char *log_file, char *message) {
    tell(log_file, "WARN", message);
    free(message);
}

void log_error(const char *log_file, const struct command *command, char *message) {
    char time[TIME_TEXT];
    write_time(time);
    tell(log_file, "ERROR", message);
    if (command->log != NULL) {
        append(&(struct entry){
                command->log,
                command->log_json
                        ? join("{\"level\":\"error\",\"msg\":\"tardis-runc: %s\",\"time\":\"%s\"}\n",
                               message, time)
                        : join("time=\"%s\" level=error msg=\"tardis-runc: %s\"\n", time, message)});
    }
    free(message);
}
