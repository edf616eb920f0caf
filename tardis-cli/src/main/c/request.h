/* What the daemon is sent: the command line, and what it cannot see of this process. */
#ifndef TARDIS_REQUEST_H
#define TARDIS_REQUEST_H

#include <stddef.h>

struct request {
    size_t length; /* 0: longer than the daemon takes */
    char *bytes;
};

struct request make_request(int argc, char *const *argv);

#endif
