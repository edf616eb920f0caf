/* What the launcher has to say. Never on stdout or stderr: those are the container's, or parsed. */
#ifndef TARDIS_LOG_H
#define TARDIS_LOG_H

#include "command.h"

/* A line in Tardis's log, which nobody waits for. The message is freed. */
void log_warning(const char *log_file, char *message);

/* The same, and in the file that the caller named by --log: why the runtime does not run. */
void log_error(const char *log_file, const struct command *command, char *message);

/* "2026-11-23T00:00:00Z" of now. */
enum { TIME_TEXT = sizeof "2026-11-23T00:00:00Z" };
void write_time(char text[TIME_TEXT]);

#endif
