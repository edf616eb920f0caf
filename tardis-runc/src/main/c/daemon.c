#define _GNU_SOURCE
#include "daemon.h"

#include "files.h"
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_REPLY_MS = 500, LONGEST_WAIT_MS = 30000 };

static const char MAGIC[] = "TARDIS2\n";

static int64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static bool wait_for(int fd, short events, int64_t deadline) {
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int64_t left;
    while ((left = deadline - now_ms()) > 0) {
        int ready = poll(&poll_fd, 1, (int)left);
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    }
    return false;
}

/* A connection to a daemon of this user or root's, or -1: of what the answer tells. */
static int connect_to(const char *run_dir, int64_t deadline, enum answer *answer) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/tardis.sock", run_dir);
    *answer = NOBODY;
    if (length < 0 || (size_t)length >= sizeof address.sun_path) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        /* EAGAIN: the backlog is full, and poll cannot tell when it no longer is. */
        bool is_full = errno == EAGAIN;
        if ((!is_full && errno != EINTR) || now_ms() >= deadline) {
            *answer = is_full ? SILENT : NOBODY;
            close(fd);
            return -1;
        }
        sleep_ms(1);
    }
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0
        || (peer.uid != 0 && peer.uid != geteuid())) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t length, int64_t deadline) {
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN ? !wait_for(fd, POLLOUT, deadline) : errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool receive_all(int fd, unsigned char *bytes, size_t length, int64_t deadline) {
    while (length > 0) {
        ssize_t n = recv(fd, bytes, length, 0);
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (n == 0 || (errno == EAGAIN ? !wait_for(fd, POLLIN, deadline) : errno != EINTR)) {
            return false;
        }
    }
    return true;
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
    memcpy(request->bytes, MAGIC, sizeof MAGIC - 1);
    for (size_t i = 0; i < 4; i++) {
        request->bytes[sizeof MAGIC - 1 + i] = (char)((length - REQUEST_HEAD) >> (24 - 8 * i));
    }
    request->length = length;
}

enum answer ask(const char *run_dir, const struct request *request) {
    int64_t deadline = now_ms() + FIRST_REPLY_MS;
    enum answer answer;
    int fd = connect_to(run_dir, deadline, &answer);
    if (fd < 0) {
        return answer;
    }
    bool works = false;
    unsigned char step = 0;
    unsigned char ms[4];
    bool alive = send_all(fd, request->bytes, request->length, deadline);
    while (alive && receive_all(fd, &step, 1, deadline)) {
        alive = step == 'W' && receive_all(fd, ms, sizeof ms, deadline);
        if (alive) {
            works = true;
            uint32_t wait = (uint32_t)ms[0] << 24 | ms[1] << 16 | ms[2] << 8 | ms[3];
            deadline = now_ms() + (wait < LONGEST_WAIT_MS ? wait : LONGEST_WAIT_MS);
        }
    }
    close(fd);
    return step == 'G'           ? GO
           : step == 'N'         ? NOTE
           : now_ms() < deadline ? BROKEN
           : works               ? LATE
                                 : SILENT;
}
