/* Speaks with the daemon on tardis.sock, as io.tardis.runc.LauncherProtocol describes. */
#ifndef TARDIS_DAEMON_H
#define TARDIS_DAEMON_H

#include <limits.h>
#include <stddef.h>

enum { MAX_REQUEST = 64 * 1024 };

/* What is sent: a header, the current directory, and the arguments. */
struct request {
    size_t length; /* 0: too long for the daemon */
    char bytes[MAX_REQUEST + 16];
};

/* Of a call; without arguments it asks only whether the daemon answers. */
void write_request(struct request *request, char *const *arguments);

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
