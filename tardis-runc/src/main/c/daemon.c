#define _GNU_SOURCE
#include "daemon.h"

#include "peer.h"
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_REPLY_MS = 500, LONGEST_WAIT_MS = 30000 };

static const char MAGIC[] = "TARDIS2\n";

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
    int fd = connect_to_daemon(run_dir, "tardis.sock", FIRST_REPLY_MS);
    if (fd < 0) {
        return errno == EAGAIN ? SILENT /* the backlog is full, and nobody accepts */ : NOBODY;
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
    enum answer answer = step == 'G' ? GO : step == 'N' ? NOTE : errno == EAGAIN ? in_vain : BROKEN;
    close(fd);
    return answer;
}
