#define _GNU_SOURCE
#include "command.h"

#include "text.h"
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_IDENTIFIER = 76 };

struct words {
    const char *const *valued; /* options that take a value, ended by NULL */
    const char *root, *bundle, *log, *log_format;
    const char *last; /* the last positional argument */
    int next;
    bool unknown; /* an option that is not known may take a value: then what follows it is unclear */
    bool help;    /* the runtime prints something, and does nothing else */
    bool force;
};

static bool is(const char *expected, const char *name, size_t length) {
    return strlen(expected) == length && memcmp(expected, name, length) == 0;
}

static bool is_one_of(const char *const *names, const char *name, size_t length) {
    while (*names != NULL && !is(*names, name, length)) {
        names++;
    }
    return *names != NULL;
}

static void keep(struct words *words, const char *name, size_t length, const char *value) {
    const struct {
        const char *name;
        const char **value;
    } kept[] = {{"root", &words->root},     {"bundle", &words->bundle},
                {"b", &words->bundle},      {"log", &words->log},
                {"log-format", &words->log_format}};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (is(kept[i].name, name, length)) {
            *kept[i].value = value;
        }
    }
}

/* Whether a flag is set; anything else than a truth value, Go refuses. */
static bool is_true(const char *value) {
    static const char *const TRUE[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
    return is_one_of(TRUE, value, strlen(value));
}

static void read_words(struct words *words, char **argv, bool to_the_end) {
    static const char *const HELP[] = {"help", "h", "version", "v", NULL};
    static const char *const FORCE[] = {"force", "f", NULL};
    static const char *const FLAGS[] = {"debug", "systemd-cgroup", "help", "h", "version", "v",
                                        NULL};
    bool options_ended = false;
    while (argv[words->next] != NULL && (to_the_end || words->last == NULL)) {
        const char *argument = argv[words->next++];
        if (options_ended || argument[0] != '-' || argument[1] == '\0') {
            words->last = argument;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            options_ended = true;
            continue;
        }
        const char *name = argument + (argument[1] == '-' ? 2 : 1);
        size_t length = strcspn(name, "=");
        bool has_value = name[length] == '=';
        if (!is_one_of(words->valued, name, length)) {
            words->unknown |= !is_one_of(FLAGS, name, length);
            words->help |= is_one_of(HELP, name, length);
            if (is_one_of(FORCE, name, length)) {
                words->force = !has_value || is_true(name + length + 1);
            }
        } else if (has_value) {
            keep(words, name, length, name + length + 1);
        } else if (argv[words->next] != NULL) {
            keep(words, name, length, argv[words->next++]);
        } else {
            words->unknown = true;
        }
    }
}

/* containerd's rule, as in ContainerKey: nothing that could leave its directory. */
static bool is_identifier(const char *text) {
    bool after_separator = true;
    size_t length = 0;
    for (; text[length] != '\0'; length++) {
        bool alphanumeric = isalnum((unsigned char)text[length]) != 0;
        if (!alphanumeric && (after_separator || strchr("._-", text[length]) == NULL)) {
            return false;
        }
        after_separator = !alphanumeric;
    }
    return length <= MAX_IDENTIFIER && !after_separator;
}

static char *last_element(const char *path) {
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    const char *slash = memrchr(path, '/', end);
    const char *start = slash == NULL ? path : slash + 1;
    return join("%.*s", (int)(path + end - start), start);
}

/* As runc takes a path: "" is the current directory. */
static char *absolute(const char *path) {
    char directory[PATH_MAX];
    if (*path == '/') {
        return join("%s", path);
    }
    if (getcwd(directory, sizeof directory) == NULL || *directory != '/') {
        strcpy(directory, "."); /* it has been removed, or is outside of this root */
    }
    return join("%s%s%s", directory, *path == '\0' ? "" : "/", path);
}

struct command parse_command(char **argv) {
    static const char *const GLOBAL[] = {"root", "log", "log-format", "rootless", "criu", NULL};
    static const char *const NONE[] = {NULL};
    /* Of create and restore: what one of them does not know, it refuses. */
    static const char *const CREATE_OPTIONS[] = {
            "bundle",         "b",          "console-socket",      "pid-file",    "preserve-fds",
            "image-path",     "work-path",  "parent-path",         "empty-ns",    "lsm-profile",
            "lsm-mount-context", "manage-cgroups-mode", NULL};
    static const struct {
        const char *name;
        enum kind kind;
        const char *const *valued;
    } COMMANDS[] = {{"create", CREATE, CREATE_OPTIONS},
                    {"restore", CREATE, CREATE_OPTIONS},
                    {"start", START, NONE},
                    {"delete", DELETE, NONE}};

    struct command command = {.kind = PASS_THROUGH};
    struct words global = {.valued = GLOBAL, .root = "/run/runc", .next = 1};
    if (argv[0] == NULL) {
        return command;
    }
    read_words(&global, argv, false);
    command.name = global.last;
    command.log = global.log;
    command.log_json = global.log_format != NULL && strcmp(global.log_format, "json") == 0;
    if (global.unknown || global.help || global.last == NULL) {
        return command;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(global.last, COMMANDS[i].name) == 0) {
            struct words own = {.valued = COMMANDS[i].valued, .bundle = "", .next = global.next};
            read_words(&own, argv, true);
            char *name_space = last_element(global.root);
            if (own.help || own.last == NULL || !is_identifier(own.last)
                || !is_identifier(name_space)) {
                free(name_space);
                return command;
            }
            command.kind = COMMANDS[i].kind;
            command.name_space = name_space;
            command.id = own.last; /* another runtime may have an option with a value before it */
            command.root = absolute(global.root);
            command.bundle = command.kind == CREATE ? absolute(own.bundle) : NULL;
            command.force = command.kind == DELETE && own.force;
        }
    }
    return command;
}
