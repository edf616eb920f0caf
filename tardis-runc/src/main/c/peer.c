#define _GNU_SOURCE
#include "peer.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

void set_patience(int fd, uint32_t ms) {
    const struct timeval time = {ms / 1000, ms % 1000 * 1000 + 1 /* 0 would be no bound */};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

int connect_to_daemon(const char *run_dir, const char *name, uint32_t patience_ms) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* It has room: the settings limit the directory. */
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", run_dir, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_patience(fd, patience_ms);
    int error = ENAMETOOLONG;
    if (length > 0 && (size_t)length < sizeof address.sun_path) {
        do {
            error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
        } while (error == EINTR);
    }
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (error == 0) {
        bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
        if (known && (peer.uid == 0 || peer.uid == geteuid())) {
            return fd;
        }
        error = EPERM;
    }
    close(fd);
    errno = error;
    return -1;
}
