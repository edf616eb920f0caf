/*
 * The tardis command. The daemon runs it where it can, and this process prints what comes back: a
 * JVM's start would take most of a command's time. Otherwise this process becomes that JVM. Which
 * commands the daemon runs is decided there, by io.tardis.cli.ServedCommands.
 */
#define _GNU_SOURCE
#include "call.h"
#include "jvm.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * The next file that is opened would get the number of a closed stream, and its output. Writing to
 * one of these fails as before.
 */
static void close_gaps(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", O_RDONLY);
        }
    }
}

int main(int argc, char **argv) {
    close_gaps();
    if (argc < 1) {
        return 1;
    }
    /* The start of a daemon must not depend on one that hangs. */
    if (argc < 2 || strcmp(argv[1], "daemon") != 0) {
        void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a failed write says so by errno */
        int status = call_daemon(argc, &argv);
        if (status != NOT_HERE) {
            return status;
        }
        (void)signal(SIGPIPE, before);
    }
    become_jvm(argv);
}
