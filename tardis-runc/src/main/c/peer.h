/* Connections to the daemon's Unix sockets. */
#ifndef TARDIS_PEER_H
#define TARDIS_PEER_H

#include <stdint.h>

/*
 * A connection to the socket of that name in the daemon's run directory; its user is this process's
 * or root. -1 and errno otherwise: EAGAIN if somebody listens and does not accept in time, EPERM if
 * another user listens. Each later call with the connection is bounded by the patience.
 */
int connect_to_daemon(const char *run_dir, const char *name, uint32_t patience_ms);

/* Bounds each later call with this socket. */
void set_patience(int fd, uint32_t ms);

#endif
