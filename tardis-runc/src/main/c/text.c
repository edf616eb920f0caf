#define _GNU_SOURCE
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

char *join(const char *format, ...) {
    va_list arguments;
    char *result;
    va_start(arguments, format);
    if (vasprintf(&result, format, arguments) < 0) {
        _exit(NO_RUNTIME); /* not even a few hundred bytes of memory */
    }
    va_end(arguments);
    return result;
}
