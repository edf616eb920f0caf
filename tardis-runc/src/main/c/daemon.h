/* Speaks with the daemon on tardis.sock, as io.tardis.runc.LauncherProtocol describes. */
#ifndef TARDIS_DAEMON_H
#define TARDIS_DAEMON_H

#include "command.h"

#include <stddef.h>

enum { REQUEST_HEAD = 12, MAX_REQUEST = 16 * 1024 };

struct request {
    size_t length; /* 0: too long for the daemon */
    char bytes[REQUEST_HEAD + MAX_REQUEST];
};

/* One that passes through asks only whether the daemon answers. */
void write_request(struct request *request, const struct command *command);

enum answer {
    GO,     /* its work is done */
    NOTE,   /* it cannot do it now, and wants a note */
    LATE,   /* it is at work, but not in time */
    NOBODY, /* nobody listens there, or nobody who may be asked */
    BROKEN, /* it broke off, or is no daemon of this version */
    SILENT  /* somebody listens, but does not answer in time */
};

enum answer ask(const char *run_dir, const struct request *request);

#endif
