/*
 * Any bytes as a command line: its arguments, separated by NUL. Whatever they are, nothing is read
 * or written beside its place. A call that is found has a container of containerd's rules, the paths
 * that the daemon demands, a request of six fields and a note of its own. For libFuzzer: scripts/fuzz.sh.
 */
#define _GNU_SOURCE
#include "command.h"
#include "daemon.h"
#include "rundir.h"
#include "text.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 64, FIELDS = 6 };

static char run_dir[] = "/tmp/tardis-fuzz-XXXXXX";
static int run_fd;

static void remove_run_dir(void) {
    (void)unlinkat(run_fd, "missed", AT_REMOVEDIR);
    (void)rmdir(run_dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    assert(mkdtemp(run_dir) != NULL);
    atexit(remove_run_dir);
    run_fd = open_run_dir(run_dir);
    assert(run_fd >= 0);
    return 0;
}

static void check_identifier(const char *text) {
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    assert(*text != '\0' && strlen(text) <= 76 && strspn(text, allowed) == strlen(text));
    assert(strchr("._-", text[0]) == NULL && strchr("._-", text[strlen(text) - 1]) == NULL);
    assert(strstr(text, "..") == NULL);
}

static void check_call(const struct command *command, char **argv) {
    bool is_argument = false;
    for (char **argument = argv + 1; *argument != NULL; argument++) {
        is_argument |= *argument == command->id;
    }
    assert(is_argument);
    check_identifier(command->id);
    check_identifier(command->name_space);
    assert(*command->root == '/' && strstr(command->root, command->name_space) != NULL);
    assert((command->kind == CREATE) == (command->bundle != NULL));
    assert(command->bundle == NULL || *command->bundle == '/');
    assert(!command->force || command->kind == DELETE);
}

static void check_request(const struct request *request, const struct command *command) {
    const char *expected[FIELDS] = {NULL, command->name_space, command->id, command->root,
                                    command->bundle == NULL ? "" : command->bundle,
                                    command->force ? "1" : "0"};
    const unsigned char *length = (const unsigned char *)request->bytes + 8;
    assert(memcmp(request->bytes, "TARDIS2\n", 8) == 0);
    assert(((size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3])
           == request->length - REQUEST_HEAD);
    const char *field = request->bytes + REQUEST_HEAD;
    for (int i = 0; i < FIELDS; i++) {
        assert(expected[i] == NULL || strcmp(field, expected[i]) == 0);
        field += strlen(field) + 1;
    }
    assert(field == request->bytes + request->length);
}

/* With a root that is longer: the longest request is taken, and no longer one. */
static void check_limit(const struct command *command, size_t length) {
    static struct request request;
    int spare = (int)(sizeof request.bytes - length);
    for (int more = 0; more <= 1; more++) {
        struct command longer = *command;
        longer.root = join("%s%0*d", command->root, spare + more, 0);
        write_request(&request, &longer);
        assert(request.length == (more == 0 ? sizeof request.bytes : 0));
        free(longer.root);
    }
}

static void check_note(const struct command *command, const struct request *request) {
    static char bytes[sizeof request->bytes + 9];
    struct stat status;
    assert(leave_note(run_fd, command, request) == NULL);
    assert(is_missed(run_dir, command));
    char *name = join("missed/%s:%s", command->name_space, command->id);
    assert(fstatat(run_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0);
    int fd = openat(run_fd, name, O_RDONLY);
    assert(fd >= 0 && read(fd, bytes, sizeof bytes) == (ssize_t)(8 + request->length));
    assert(memcmp(bytes + 8, request->bytes, request->length) == 0);
    close(fd);
    assert(unlinkat(run_fd, name, 0) == 0); /* nothing else is there when the directory is removed */
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct request request;
    char *argv[MAX_ARGUMENTS + 2] = {size == 0 ? NULL : "tardis-runc"};
    int count = 1;
    for (size_t start = 0; start < size && count <= MAX_ARGUMENTS; count++) {
        argv[count] = join("%.*s", (int)(size - start), (const char *)data + start);
        start += strlen(argv[count]) + 1;
    }
    struct command command = parse_command(argv);
    write_request(&request, &command);
    if (command.kind == PASS_THROUGH) {
        assert(command.name_space == NULL && command.root == NULL && command.bundle == NULL);
    } else {
        check_call(&command, argv);
        check_request(&request, &command);
        check_limit(&command, request.length);
        check_note(&command, &request);
    }
    free(command.name_space);
    free(command.root);
    free(command.bundle);
    while (count > 1) {
        free(argv[--count]);
    }
    return 0;
}
