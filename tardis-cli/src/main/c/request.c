#define _GNU_SOURCE
#include "request.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TARDIS_VERSION
#error "-DTARDIS_VERSION is missing"
#endif

enum { MAX_BODY = 128 * 1024 };

static const char MAGIC[] = "TARDISC1";

/* Those that lib/tardis-jvm leaves to the JVM, as far as a command of the daemon's reads them. */
static const char *const VARIABLES[] = {"TARDIS_", "TERM=", "COLUMNS=", "NO_COLOR=", "TZ="};

struct text {
    char bytes[12 + MAX_BODY];
    size_t length;
    bool is_full;
};

static void add(struct text *text, const char *field) {
    size_t size = strlen(field) + 1;
    if (text->is_full || size > sizeof text->bytes - text->length) {
        text->is_full = true;
        return;
    }
    memcpy(text->bytes + text->length, field, size);
    text->length += size;
}

/* As lib/tardis-jvm decides it. */
static bool is_utf8(void) {
    const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return strcasestr(value, "utf8") != NULL || strcasestr(value, "utf-8") != NULL;
        }
    }
    return false;
}

static void add_facts(struct text *text) {
    const char facts[] = {isatty(STDIN_FILENO) ? 'i' : '-', isatty(STDOUT_FILENO) ? 'o' : '-',
                          isatty(STDERR_FILENO) ? 'e' : '-', is_utf8() ? 'u' : '-', '\0'};
    add(text, facts);
}

static void add_variables(struct text *text) {
    for (char **variable = environ; *variable != NULL; variable++) {
        for (size_t i = 0; i < sizeof VARIABLES / sizeof VARIABLES[0]; i++) {
            if (strncmp(*variable, VARIABLES[i], strlen(VARIABLES[i])) == 0) {
                add(text, *variable);
            }
        }
    }
}

struct request make_request(int argc, char *const *argv) {
    static struct text text; /* pages that are not touched cost nothing */
    char count[16];
    text.is_full = false;
    text.length = sizeof MAGIC - 1 + sizeof(uint32_t);
    add(&text, TARDIS_VERSION);
    add_facts(&text);
    (void)snprintf(count, sizeof count, "%d", argc - 1);
    add(&text, count);
    for (int i = 1; i < argc; i++) {
        add(&text, argv[i]);
    }
    add_variables(&text);
    uint32_t size = htobe32((uint32_t)(text.length - (sizeof MAGIC - 1 + sizeof size)));
    memcpy(text.bytes, MAGIC, sizeof MAGIC - 1);
    memcpy(text.bytes + sizeof MAGIC - 1, &size, sizeof size);
    return (struct request){.length = text.is_full ? 0 : text.length, .bytes = text.bytes};
}
