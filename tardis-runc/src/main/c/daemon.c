#define _GNU_SOURCE
#include "daemon.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_REPLY_MS = 500, LONGEST_WAIT_MS = 30000 };

static const char MAGIC[] = "TARDIS2\n";

/* Bounds each later call with this socket. */
static void set_patience(int fd, uint32_t ms) {
    const struct timeval time = {ms / 1000, ms % 1000 * 1000 + 1 /* 0 would be no bound */};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

/* A connection to a daemon of this user or root's, or -1: of what the answer tells. */
static int connect_to(const char *run_dir, enum answer *answer) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* It has room: the settings limit the directory. */
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/tardis.sock", run_dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_patience(fd, FIRST_REPLY_MS);
    int error;
    do {
        error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    } while (error == EINTR);
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0
        && (peer.uid == 0 || peer.uid == geteuid())) {
        return fd;
    }
    *answer = error == EAGAIN ? SILENT /* the backlog is full, and nobody accepts */ : NOBODY;
    close(fd);
    return -1;
}

/* Without an answer in time it fails with EAGAIN. */
static bool receive(int fd, void *bytes, size_t length) {
    ssize_t n;
    errno = 0; /* a connection that ends is none */
    do {
        n = recv(fd, bytes, length, MSG_WAITALL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)length;
}

void write_request(struct request *request, const struct command *command) {
    static const char *const KINDS[] = {"ping", "create", "start", "delete"};
    const char *const fields[] = {KINDS[command->kind], command->name_space,
                                  command->id,          command->root,
                                  command->bundle,      command->force ? "1" : "0"};
    size_t length = REQUEST_HEAD;
    request->length = 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const char *field = fields[i] == NULL ? "" : fields[i];
        size_t size = strlen(field) + 1;
        if (size > sizeof request->bytes - length) {
            return;
        }
        memcpy(request->bytes + length, field, size);
        length += size;
    }
    uint32_t size = htobe32((uint32_t)(length - REQUEST_HEAD));
    memcpy(request->bytes, MAGIC, sizeof MAGIC - 1);
    memcpy(request->bytes + sizeof MAGIC - 1, &size, sizeof size);
    request->length = length;
}

enum answer ask(const char *run_dir, const struct request *request) {
    enum answer answer = NOBODY;
    int fd = connect_to(run_dir, &answer);
    if (fd < 0) {
        return answer;
    }
    enum answer in_vain = SILENT;
    unsigned char step = 0;
    uint32_t ms;
    ssize_t sent = send(fd, request->bytes, request->length, MSG_NOSIGNAL);
    bool alive = sent == (ssize_t)request->length;
    while (alive && receive(fd, &step, 1)) {
        alive = step == 'W' && receive(fd, &ms, sizeof ms);
        if (alive) {
            in_vain = LATE;
            ms = be32toh(ms);
            set_patience(fd, ms < LONGEST_WAIT_MS ? ms : LONGEST_WAIT_MS);
        }
    }
    answer = step == 'G' ? GO : step == 'N' ? NOTE : errno == EAGAIN ? in_vain : BROKEN;
    close(fd);
    return answer;
}
