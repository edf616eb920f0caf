#define _GNU_SOURCE
#include "settings.h"

#include "files.h"
#include "text.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_FILE = 256 * 1024 };

static const char DEFAULT_FILE[] = "/etc/tardis/tardis.env";

enum key { RUN_DIR, STATE_DIR, LOG_FILE, RUNTIME, KEYS };

static const struct {
    const char *name;
    const char *otherwise;
    size_t max;  /* in bytes */
    bool a_word; /* a name without a slash is also good */
} ALL[KEYS] = {
        [RUN_DIR] = {"TARDIS_RUN_DIR", "/run/tardis",
                     sizeof((struct sockaddr_un *)NULL)->sun_path - sizeof "/tardis.sock", false},
        [STATE_DIR] = {"TARDIS_STATE_DIR", "/var/lib/tardis", PATH_MAX - 1, false},
        [LOG_FILE] = {"TARDIS_LOG_FILE", "/var/log/tardis/tardis.log", PATH_MAX - 1, false},
        [RUNTIME] = {"TARDIS_REAL_RUNC_CMD", NULL, PATH_MAX - 1, true}};

/* A value as it is written; the last one that is not empty counts. */
struct value {
    const char *from, *to;
    unsigned line; /* 0: the environment */
    bool unknown;  /* a line that is refused names the key */
};

struct reader {
    struct settings result;
    const char *file;
    struct value values[KEYS];
};

/* The first problem is enough: the commands name them all. */
static void refuse(struct reader *reader, char *problem) {
    if (reader->result.problem == NULL) {
        reader->result.problem = problem;
    } else {
        free(problem);
    }
}

static void trim(const char **from, const char **to) {
    while (*from < *to && memchr(" \t\r", **from, 3) != NULL) {
        ++*from;
    }
    while (*from < *to && memchr(" \t\r", (*to)[-1], 3) != NULL) {
        --*to;
    }
}

/* A letter or _, then letters, digits and _. */
static bool is_key(const char *from, const char *to) {
    static const char CHARACTERS[] =
            "_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return from < to && !isdigit((unsigned char)*from)
           && strspn(from, CHARACTERS) == (size_t)(to - from); /* what follows is none of them */
}

static void accept(struct reader *reader, const char *key, const char *key_end, const char *from,
                   const char *to, unsigned line) {
    size_t length = (size_t)(key_end - key);
    for (size_t i = 0; i < KEYS; i++) {
        if (from < to && strlen(ALL[i].name) == length && memcmp(ALL[i].name, key, length) == 0) {
            reader->values[i] = (struct value){.from = from, .to = to, .line = line};
        }
    }
}

static void read_line(struct reader *reader, const char *from, const char *to, unsigned line) {
    trim(&from, &to);
    if (from == to || *from == '#') {
        return;
    }
    const char *equals = memchr(from, '=', (size_t)(to - from));
    const char *key_end = equals == NULL ? from : equals;
    trim(&from, &key_end);
    if (!is_key(from, key_end)) {
        refuse(reader, join("%s, line %u: not a KEY=VALUE line", reader->file, line));
        for (size_t i = 0; i < KEYS; i++) {
            if (memmem(from, (size_t)(to - from), ALL[i].name, strlen(ALL[i].name)) != NULL) {
                reader->values[i] = (struct value){.unknown = true};
            }
        }
        return;
    }
    const char *value = equals + 1;
    trim(&value, &to);
    bool quoted = to - value >= 2 && (*value == '"' || *value == '\'')
                  && memchr(value + 1, *value, (size_t)(to - value - 1)) == to - 1;
    accept(reader, from, key_end, value + quoted, to - quoted, line);
}

static void read_settings_file(struct reader *reader) {
    static char text[MAX_FILE + 1]; /* the values stay in it */
    static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";
    const size_t mark = sizeof BYTE_ORDER_MARK - 1;
    const char *file = reader->file;
    bool is_misnamed = *file != '/';
    int fd = is_misnamed ? -1 : open_regular(file, MAX_FILE);
    if (fd < 0 && errno == ENOENT && file == DEFAULT_FILE && !may_exist(join("%s", file))) {
        return;
    }
    ssize_t length = fd < 0 ? -1 : read_all(fd, text, sizeof text);
    int error = length > MAX_FILE ? EFBIG : errno; /* it grew meanwhile */
    close(fd);
    if (length < 0 || length > MAX_FILE) {
        refuse(reader, is_misnamed ? join("TARDIS_CONFIG=%s is not an absolute path", file)
                                   : join("%s cannot be read: %s", file, why(error)));
        for (size_t i = 0; i < KEYS; i++) {
            reader->values[i].unknown = true;
        }
        return;
    }
    const char *line = text;
    const char *end = text + length;
    if ((size_t)length >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0) {
        line += mark;
    }
    for (unsigned number = 1; line < end; number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = newline == NULL ? end : newline;
        read_line(reader, line, line_end, number);
        line = line_end + 1;
    }
}

/*
 * Whether it is UTF-8 without NUL, which no path can have, and without U+FFFD, which is what Java
 * and editors put in the place of bytes that are no UTF-8.
 */
static bool is_text(const char *from, const char *to) {
    while (from < to) {
        unsigned char first = (unsigned char)*from++;
        /* By the first byte: how many follow, and the smallest code point of that length. */
        int more = first < 0x80 ? 0 : first < 0xc0 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        const unsigned long smallest[] = {1, 0x80, 0x800, 0x10000};
        if (more < 0 || first > 0xf4 || to - from < more) {
            return false;
        }
        unsigned long point = more == 0 ? first : first & (0x3fU >> more);
        for (int i = 0; i < more; i++) {
            unsigned char next = (unsigned char)*from++;
            if ((next & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (next & 0x3f);
        }
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        if (point < smallest[more] || point > 0x10ffff || surrogate || point == 0xfffd) {
            return false;
        }
    }
    return true;
}

/* Why the value cannot be used, or NULL. */
static const char *fault(enum key key, const struct value *value) {
    if (!is_text(value->from, value->to)) {
        return "is not UTF-8 text";
    }
    if ((size_t)(value->to - value->from) > ALL[key].max) {
        return "is too long";
    }
    if (*value->from != '/') {
        bool is_a_word = memchr(value->from, '/', (size_t)(value->to - value->from)) == NULL;
        return ALL[key].a_word && is_a_word ? NULL : "is not an absolute path";
    }
    const char *name = value->from;
    while (name < value->to && *name == '/') {
        name++;
    }
    return name < value->to ? NULL : "is the root directory";
}

/* The value, the default, or NULL if there is no default or the value is not known. */
static char *take(struct reader *reader, enum key key) {
    struct value *value = &reader->values[key];
    if (value->from == NULL) {
        const char *otherwise = ALL[key].otherwise;
        return value->unknown || otherwise == NULL ? NULL : join("%s", otherwise);
    }
    const char *reason = fault(key, value);
    if (reason == NULL) {
        return join("%.*s", (int)(value->to - value->from), value->from);
    }
    value->unknown = true;
    refuse(reader,
           value->line == 0 ? join("the environment: %s %s", ALL[key].name, reason)
                            : join("%s, line %u: %s %s", reader->file, value->line, ALL[key].name,
                                   reason));
    return NULL;
}

const char *settings_file(void) {
    const char *named = getenv("TARDIS_CONFIG");
    return named != NULL && *named != '\0' ? named : DEFAULT_FILE;
}

struct settings read_settings(void) {
    struct reader reader = {.file = settings_file()};
    read_settings_file(&reader);
    for (char **variable = environ; *variable != NULL; variable++) {
        const char *equals = strchr(*variable, '=');
        if (equals != NULL) {
            accept(&reader, *variable, equals, equals + 1, equals + strlen(equals), 0);
        }
    }
    struct settings *result = &reader.result;
    result->run_dir = take(&reader, RUN_DIR);
    result->state_dir = take(&reader, STATE_DIR);
    result->log_file = take(&reader, LOG_FILE);
    result->runtime = take(&reader, RUNTIME);
    result->runtime_known = !reader.values[RUNTIME].unknown;
    return *result;
}
