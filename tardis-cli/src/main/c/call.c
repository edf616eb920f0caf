#define _GNU_SOURCE
#include "call.h"

#include "files.h"
#include "peer.h"
#include "request.h"
#include "settings.h"
#include "text.h"
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_REPLY_MS = 3000, /* the daemon's acceptor answers at once; a busy machine may not */
    SILENCE_MS = 5000,     /* then the daemon is asked whether it is still at work */
    LAST_SILENCE_MS = 15000,
    AT_ONCE_MS = 1000,        /* a daemon that breaks off sooner has not begun */
    RECONNECT_MS = 500,       /* and as much again, not the same for all */
    LONGEST_ABSENCE_MS = 10000, /* of a daemon that is replaced */
    HEAD = 4,
    MAX_PAYLOAD = 65536
};

/* As io.tardis.cli.ExitStatus. */
enum { OK = 0, FAILED = 1, NOT_KNOWN = 3, READER_GONE = 141 };

struct call {
    int fd;
    bool accepted; /* somebody is there */
    bool refused;  /* the command is to run in a JVM */
    bool any_output;
    uint64_t position; /* of a watch: the exit up to which all was printed; 0 for none */
    int failure;       /* errno of standard output's first failed write */
    bool told;         /* the daemon knows that nothing more is wanted */
    size_t length;     /* of what is in bytes */
    unsigned char bytes[HEAD + MAX_PAYLOAD];
};

static bool is_reader_gone(void) {
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

/* One byte to the daemon. That it does not arrive is seen when the next frame is read. */
static void say(const struct call *call, char what) {
    (void)!send(call->fd, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void stop_output(struct call *call) {
    if (!call->told) {
        say(call, 'G');
        call->told = true;
    }
}

/* Writes all of it, or returns errno. */
static int put(int fd, const unsigned char *bytes, size_t length) {
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n >= 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            (void)poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static void print(struct call *call, const unsigned char *bytes, size_t length) {
    if (call->failure == 0) {
        call->any_output = true;
        call->failure = put(STDOUT_FILENO, bytes, length);
        if (call->failure != 0) {
            stop_output(call);
        }
    }
}

/* As glibc, and so the JVM, says it. */
static const char *reason(int error) {
    return error == EIO ? "Input/output error" : error == EDQUOT ? "Disk quota exceeded" : strerror(error);
}

/* The same rule as io.tardis.cli.Output.statusAfter: a command whose output failed has not succeeded. */
static int status_after(const struct call *call, int status) {
    if (call->failure == 0) {
        return status;
    }
    bool gone = is_reader_gone();
    if (!gone) {
        (void)dprintf(STDERR_FILENO, "tardis: standard output cannot be written: %s\n",
                      reason(call->failure));
    }
    return status != OK && status != READER_GONE ? status : gone ? READER_GONE : FAILED;
}

/* Waits until the daemon says more; false if it does not within its time. */
static bool await(struct call *call, bool is_first) {
    int waited = 0;
    while (true) {
        int patience = is_first ? FIRST_REPLY_MS : SILENCE_MS;
        struct pollfd both[] = {{.fd = call->fd, .events = POLLIN},
                                {.fd = call->told ? -1 : STDOUT_FILENO}};
        int ready = poll(both, 2, patience);
        if (ready < 0 && errno != EINTR) {
            return false;
        }
        if (ready > 0 && (both[1].revents & (POLLERR | POLLHUP)) != 0) {
            stop_output(call);
        }
        if (ready > 0 && both[0].revents != 0) {
            return true;
        }
        if (ready == 0) {
            waited += patience;
            if (is_first || waited >= LAST_SILENCE_MS) {
                return false;
            }
            say(call, 'L');
        }
    }
}

/* Reads more bytes; false at the connection's end. */
static bool read_more(struct call *call, bool is_first) {
    ssize_t n;
    if (!await(call, is_first)) {
        return false;
    }
    do {
        n = recv(call->fd, call->bytes + call->length, sizeof call->bytes - call->length, 0);
    } while (n < 0 && errno == EINTR);
    call->length += n < 0 ? 0 : (size_t)n;
    return n > 0;
}

static size_t payload_length(const struct call *call) {
    return (size_t)call->bytes[1] << 16 | (size_t)call->bytes[2] << 8 | call->bytes[3];
}

/*
 * Does what one whole frame says, with its payload. True if it was the last one; then status is
 * set.
 */
static bool take(struct call *call, int *status) {
    const unsigned char *payload = call->bytes + HEAD;
    size_t length = payload_length(call);
    switch (call->bytes[0]) {
    case 'A':
        call->accepted = true;
        return false;
    case 'L': /* still at work */
        return false;
    case 'O':
        print(call, payload, length);
        return false;
    case 'E':
        call->any_output = true;
        (void)put(STDERR_FILENO, payload, length); /* as the JVM, which cannot say it anywhere */
        return false;
    case 'P':
        if (length == sizeof call->position) {
            memcpy(&call->position, payload, sizeof call->position);
            call->position = be64toh(call->position);
        }
        return false;
    case 'X':
        *status = length == 1 ? status_after(call, payload[0]) : FAILED;
        return true;
    case 'B':
        (void)dprintf(STDERR_FILENO, "tardis: %.*s\n", (int)length, (const char *)payload);
        *status = FAILED;
        return true;
    default: /* 'J', for a JVM; or what a later version says */
        call->refused = true;
        *status = NOT_HERE;
        return true;
    }
}

/* Returns the exit status, NOT_HERE also where the daemon broke off. */
static int follow(struct call *call) {
    int status;
    bool is_first = true;
    while (true) {
        while (call->length < HEAD || call->length < HEAD + payload_length(call)) {
            if (call->length >= HEAD && payload_length(call) > MAX_PAYLOAD) {
                return NOT_HERE;
            }
            if (!read_more(call, is_first)) {
                return NOT_HERE;
            }
            is_first = false;
        }
        size_t size = HEAD + payload_length(call);
        if (take(call, &status)) {
            return status;
        }
        call->length -= size;
        memmove(call->bytes, call->bytes + size, call->length);
    }
}

/* The command line of a watch that goes on where it stopped. */
static char **going_on(const struct call *call, int argc, char **argv) {
    char **longer = calloc((size_t)argc + 3, sizeof *longer);
    if (longer == NULL) {
        return argv;
    }
    memcpy(longer, argv, (size_t)argc * sizeof *longer);
    longer[argc] = join("--after");
    longer[argc + 1] = join("%llu", (unsigned long long)call->position);
    return longer;
}

/* Asks once. NOT_HERE: see call->refused, or the daemon broke off. */
static int ask_once(struct call *call, const char *run_dir, char **argv) {
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    struct request request = make_request(argc, argv);
    call->accepted = false;
    call->length = 0;
    call->refused = request.length == 0; /* too long */
    call->fd = call->refused ? -1 : connect_to_daemon(run_dir, "client.sock", FIRST_REPLY_MS);
    if (call->fd < 0) {
        return NOT_HERE;
    }
    int status = NOT_HERE;
    if (send(call->fd, request.bytes, request.length, MSG_NOSIGNAL) == (ssize_t)request.length
        || errno == EPIPE /* it may have said why */) {
        status = follow(call);
    }
    close(call->fd);
    return status;
}

/*
 * A daemon that ends has its clients come back to the next one. They become no JVMs, which could be
 * a thousand: a watch waits for ever, as in a JVM, and other commands for a while.
 */
int call_daemon(int argc, char ***argv) {
    static struct call call;
    char **const first = *argv;
    struct settings settings = read_settings();
    int64_t lost_at = 0; /* 0: the daemon has not been lost */
    while (settings.run_dir != NULL) {
        int64_t began = time_ms(CLOCK_MONOTONIC);
        int status = ask_once(&call, settings.run_dir, *argv);
        if (status != NOT_HERE) {
            return status;
        }
        bool has_begun = call.any_output || call.position != 0;
        int64_t now = time_ms(CLOCK_MONOTONIC);
        bool is_lost = call.accepted && (has_begun || now - began >= AT_ONCE_MS);
        if (call.refused || (lost_at == 0 && !is_lost)) {
            return NOT_HERE;
        }
        bool may_go_on = call.position != 0 && call.failure == 0;
        if (is_lost || lost_at == 0) {
            lost_at = now;
        }
        if (!may_go_on && (call.any_output || now - lost_at > LONGEST_ABSENCE_MS)) {
            (void)dprintf(STDERR_FILENO, "tardis: the daemon broke off before the end of the command\n");
            return status_after(&call, NOT_KNOWN);
        }
        if (is_reader_gone()) {
            return READER_GONE;
        }
        if (may_go_on) {
            *argv = going_on(&call, argc, first);
        }
        sleep_ms(RECONNECT_MS + getpid() % RECONNECT_MS);
    }
    return NOT_HERE;
}
