/* Strings on the heap, for the launcher and its settings reader. */
#ifndef TARDIS_TEXT_H
#define TARDIS_TEXT_H

enum { NO_RUNTIME = 127 /* as a shell says "command not found" */ };

/* As asprintf. Without memory the process ends: execve would fail too. */
char *join(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
