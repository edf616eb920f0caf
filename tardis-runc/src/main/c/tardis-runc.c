/*
 * tardis-runc: what containerd starts in the place of runc.
 *
 * It asks the daemon for its work and becomes the real runtime with execve: same pid, arguments,
 * environment, descriptors and directory. It decides one thing alone, whether a command line may
 * concern Tardis; all else is Java, in io.tardis.runc. Whatever fails, the runtime runs.
 *
 *   what it is about                                      what happens before execve
 *   ----------------------------------------------------  ---------------------------------------
 *   not create, restore, start or delete                  nothing
 *   create, restore: no "TARDIS_ENABLE=" in config.json,  nothing
 *     and no open life of that name
 *   start, delete: no open life                           nothing
 *   otherwise                                             the daemon's work, or the cold shim's
 *
 * Nothing is ever written to stdout or stderr: they are the container's, or containerd parses them.
 * No signal is handled or blocked, no variable of the environment set: the runtime would inherit it.
 */
#define _GNU_SOURCE
#include "settings.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_REPLY_MS = 500,
    LONGEST_WAIT_MS = 30000,
    COLD_MS = 5000,        /* callers kill a create after 10 s or more */
    COLD_DELETE_MS = 3000, /* and a clean-up's delete after 5 s */
    COLD_POLL_MS = 2,
    TURN_MS = 6500, /* with the turn of another launcher, that starts the daemon already */
    TURN_DELETE_MS = 3500,
    TURN_POLL_MS = 10,
    MAX_REQUEST = 64 * 1024,
    MAX_LAUNCHER = 2 * 1024 * 1024,
    MAX_IDENTIFIER = 76
};

/* Tells a copy of this program from a runtime; kept apart from the code that looks for it. */
static const char MARK[] = "\x7fTARDIS-RUNC-LAUNCHER\x7f";

/* --------------------------------------------------------------------- runc's command line */

enum kind { PASS_THROUGH, CREATE, START, DELETE };

struct command {
    enum kind kind;
    char *name_space;
    const char *id;
    const char *bundle;
    const char *log;
    bool log_json;
};

/* The rules, and their reasons, are RuncCommandLine's; the same vectors test both. */
struct words {
    const char *const *valued; /* options that take a value, ended by NULL */
    const char *root, *bundle, *log, *log_format;
    const char *last; /* the last positional argument */
    int next;
    bool unknown, help;
};

static bool is_one_of(const char *const *names, const char *name, size_t length) {
    for (; *names != NULL; names++) {
        if (strlen(*names) == length && memcmp(*names, name, length) == 0) {
            return true;
        }
    }
    return false;
}

static void keep(struct words *words, const char *name, size_t length, const char *value) {
    const struct {
        const char *name;
        const char **value;
    } kept[] = {{"root", &words->root},     {"bundle", &words->bundle},
                {"b", &words->bundle},      {"log", &words->log},
                {"log-format", &words->log_format}};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (strlen(kept[i].name) == length && memcmp(kept[i].name, name, length) == 0) {
            *kept[i].value = value;
        }
    }
}

static void read_words(struct words *words, char **argv, bool to_the_end) {
    static const char *const HELP[] = {"help", "h", "version", "v", NULL};
    static const char *const FLAGS[] = {"debug", "systemd-cgroup", "help", "h", "version", "v",
                                        NULL};
    bool options_ended = false;
    while (argv[words->next] != NULL && (to_the_end || words->last == NULL)) {
        const char *argument = argv[words->next++];
        if (options_ended || argument[0] != '-' || argument[1] == '\0') {
            words->last = argument;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            options_ended = true;
            continue;
        }
        const char *name = argument + (argument[1] == '-' ? 2 : 1);
        size_t length = strcspn(name, "=");
        bool has_value = name[length] == '=';
        if (!is_one_of(words->valued, name, length)) {
            words->unknown |= !is_one_of(FLAGS, name, length);
            words->help |= is_one_of(HELP, name, length);
        } else if (has_value) {
            keep(words, name, length, name + length + 1);
        } else if (argv[words->next] != NULL) {
            keep(words, name, length, argv[words->next++]);
        } else {
            words->unknown = true;
        }
    }
}

/* containerd's rule, as in ContainerKey: nothing that could leave its directory. */
static bool is_identifier(const char *text) {
    bool after_separator = true;
    size_t length = 0;
    for (; text[length] != '\0'; length++) {
        char c = text[length];
        bool alphanumeric =
                (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alphanumeric && (after_separator || (c != '.' && c != '_' && c != '-'))) {
            return false;
        }
        after_separator = !alphanumeric;
    }
    return length <= MAX_IDENTIFIER && !after_separator;
}

static char *last_element(const char *path) {
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    return copy(path + start, end - start);
}

static struct command parse(char **argv) {
    static const char *const GLOBAL[] = {"root", "log", "log-format", "rootless", "criu", NULL};
    static const char *const NONE[] = {NULL};
    static const char *const CREATE_OPTIONS[] = {"bundle",   "b",             "console-socket",
                                                 "pid-file", "preserve-fds", NULL};
    static const char *const RESTORE_OPTIONS[] = {
            "bundle",      "b",        "console-socket", "image-path",  "work-path",
            "parent-path", "pid-file", "empty-ns",       "lsm-profile", "lsm-mount-context",
            "manage-cgroups-mode",     NULL};
    static const struct {
        const char *name;
        enum kind kind;
        const char *const *valued;
    } COMMANDS[] = {{"create", CREATE, CREATE_OPTIONS},
                    {"restore", CREATE, RESTORE_OPTIONS},
                    {"start", START, NONE},
                    {"delete", DELETE, NONE}};

    struct command command = {.kind = PASS_THROUGH};
    struct words global = {.valued = GLOBAL, .root = "/run/runc", .next = 1};
    if (argv[0] == NULL) {
        return command;
    }
    read_words(&global, argv, false);
    command.log = global.log;
    command.log_json = global.log_format != NULL && strcmp(global.log_format, "json") == 0;
    if (global.unknown || global.help || global.last == NULL) {
        return command;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(global.last, COMMANDS[i].name) == 0) {
            struct words own = {.valued = COMMANDS[i].valued, .bundle = ".", .next = global.next};
            read_words(&own, argv, true);
            command.name_space = last_element(global.root);
            if (own.help || own.last == NULL || !is_identifier(own.last)
                || !is_identifier(command.name_space)) {
                return command;
            }
            command.id = own.last;
            command.bundle = own.bundle;
            command.kind = COMMANDS[i].kind;
        }
    }
    return command;
}

/* ---------------------------------------------------------- the one decision: possibly ours? */

/* Whether a file contains a text. */
static bool contains(const char *file, const void *text, size_t length) {
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    bool found = false;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        size_t size = (size_t)status.st_size;
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            found = memmem(bytes, size, text, length) != NULL;
            munmap(bytes, size);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return found;
}

static bool is_possibly_ours(const struct settings *settings, const struct command *command) {
    static const char ENABLE[] = "TARDIS_ENABLE=";
    if (command->kind == PASS_THROUGH || settings->state == SETTINGS_UNREADABLE) {
        return false;
    }
    struct stat status;
    char *life = join("%s/containers/%s/%s/life.json", settings->state_dir, command->name_space,
                      command->id);
    bool ours = lstat(life, &status) == 0;
    free(life);
    if (!ours && command->kind == CREATE) {
        const char *bundle = *command->bundle == '\0' ? "." : command->bundle; /* as for runc */
        char *config = join("%s/config.json", bundle);
        ours = contains(config, ENABLE, sizeof ENABLE - 1);
        free(config);
    }
    return ours;
}

/* ------------------------------------------------------------------------------- the daemon */

static int64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
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

/* A connection to a daemon of this user or root's, or -1. */
static int connect_to(const char *run_dir, int64_t deadline) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/tardis.sock", run_dir);
    if (length < 0 || (size_t)length >= sizeof address.sun_path) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        /* EAGAIN: the backlog is full, and poll cannot tell when it no longer is. */
        if ((errno != EAGAIN && errno != EINTR) || now_ms() >= deadline) {
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

/* "TARDIS1\n", the length, then the directory and each argument ended by NUL: LauncherProtocol. */
static size_t write_request(char *request, char **argv) {
    static const char MAGIC[] = "TARDIS1\n";
    size_t head = sizeof MAGIC - 1 + 4;
    char *body = request + head;
    if (getcwd(body, PATH_MAX) == NULL || body[0] != '/') {
        strcpy(body, "/");
    }
    size_t length = strlen(body) + 1;
    for (char **argument = argv + 1; *argument != NULL; argument++) {
        size_t size = strlen(*argument) + 1;
        if (length + size > MAX_REQUEST) {
            return 0;
        }
        memcpy(body + length, *argument, size);
        length += size;
    }
    memcpy(request, MAGIC, sizeof MAGIC - 1);
    for (int i = 0; i < 4; i++) {
        request[sizeof MAGIC - 1 + (size_t)i] = (char)(length >> (24 - 8 * i));
    }
    return head + length;
}

enum answer {
    NONE, /* nobody there, or nobody who works */
    GO,
    LATE /* at work, but not in time: a cold shim would only ask it once more */
};

/* Lets the daemon do its work. */
static enum answer ask_daemon(const struct settings *settings, char **argv) {
    static char request[MAX_REQUEST + PATH_MAX];
    size_t length = write_request(request, argv);
    int64_t deadline = now_ms() + FIRST_REPLY_MS;
    int fd = length == 0 ? -1 : connect_to(settings->run_dir, deadline);
    if (fd < 0) {
        return NONE;
    }
    bool go = false;
    bool works = false;
    unsigned char step;
    unsigned char ms[4];
    bool alive = send_all(fd, request, length, deadline);
    while (alive && !go && receive_all(fd, &step, 1, deadline)) {
        go = step == 'G';
        alive = !go && step == 'W' && receive_all(fd, ms, sizeof ms, deadline);
        if (alive) {
            works = true;
            uint32_t wait = (uint32_t)ms[0] << 24 | ms[1] << 16 | ms[2] << 8 | ms[3];
            deadline = now_ms() + (wait < LONGEST_WAIT_MS ? wait : LONGEST_WAIT_MS);
        }
    }
    close(fd);
    return go ? GO : works && now_ms() >= deadline ? LATE : NONE;
}

/* ----------------------------------------------------------------------------- the cold shim */

static char *own_directory(void) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    return length > 0 ? copy(path, (size_t)length) : NULL;
}

static void become_cold_shim(const char *tardis, int64_t patience, char **argv) {
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    char **words = calloc(count + 4, sizeof *words);
    int null = open("/dev/null", O_RDWR);
    if (words == NULL || null < 0) {
        return;
    }
    for (int fd = 0; fd <= 2; fd++) {
        dup2(null, fd);
    }
    if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
        for (long fd = 3, end = sysconf(_SC_OPEN_MAX); fd < end; fd++) {
            close((int)fd);
        }
    }
    words[0] = copy(tardis, strlen(tardis));
    words[1] = copy("shim", 4);
    words[2] = join("%lld", (long long)patience);
    words[3] = copy("--", 2);
    memcpy(words + 4, argv + 1, (count - 1) * sizeof *words);
    execve(tardis, words, environ);
}

/* Runs the same shim in a JVM of its own, which starts the daemon and knows the time it has. */
static bool run_cold_shim(char **argv, int64_t patience) {
    char *directory = own_directory();
    char *tardis = directory == NULL ? NULL : join("%stardis", directory);
    if (tardis == NULL || access(tardis, X_OK) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        become_cold_shim(tardis, patience, argv);
        _exit(NO_RUNTIME);
    }
    int status = -1;
    int64_t deadline = now_ms() + patience;
    while (child > 0) {
        /* With SIGCHLD ignored by the caller the end shows as ECHILD, and there is no status. */
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) {
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        if (ended < 0 && errno != EINTR) {
            return errno == ECHILD;
        }
        if (now_ms() >= deadline) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return false;
        }
        sleep_ms(COLD_POLL_MS);
    }
    return false;
}

/* Whether a child of the caller has ended while the caller blocks SIGCHLD: the runtime sees that. */
static bool is_child_end_pending(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGCHLD) == 1;
}

/* The cold shim was no child of the caller's. */
static void forget_child_end(void) {
    sigset_t child_end;
    sigemptyset(&child_end);
    sigaddset(&child_end, SIGCHLD);
    const struct timespec at_once = {0};
    (void)sigtimedwait(&child_end, NULL, &at_once);
}

/* A lock on the run directory, which only its owner can open, or -1. */
static int open_turn(const char *run_dir) {
    (void)mkdir(run_dir, S_IRWXU); /* as the daemon would make it; who failed here fails at open */
    int fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd >= 0 && (fstat(fd, &status) != 0 || status.st_uid != geteuid()
                    || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/*
 * Without a daemon one launcher at a time runs a cold shim: when a node starts all its containers
 * at once, a JVM for each would keep the daemon from coming up. The others wait for that daemon, or
 * for their turn, and go on to the runtime when the time is over.
 */
static enum answer start_daemon(const struct settings *settings, char **argv, bool is_delete) {
    int64_t deadline = now_ms() + (is_delete ? TURN_DELETE_MS : TURN_MS);
    int turn = open_turn(settings->run_dir);
    bool mine = turn < 0 || flock(turn, LOCK_EX | LOCK_NB) == 0;
    enum answer answer = NONE;
    while (!mine && answer == NONE && now_ms() < deadline) {
        sleep_ms(TURN_POLL_MS);
        mine = flock(turn, LOCK_EX | LOCK_NB) == 0;
        answer = ask_daemon(settings, argv); /* also with the lock: who had it may have started one */
    }
    if (mine && answer == NONE) {
        int64_t left = deadline - now_ms();
        int64_t patience = is_delete ? COLD_DELETE_MS : COLD_MS;
        bool pending = is_child_end_pending();
        answer = run_cold_shim(argv, left < patience ? left : patience) ? GO : NONE;
        if (!pending) {
            forget_child_end();
        }
    }
    if (turn >= 0) {
        close(turn);
    }
    return answer;
}

/* ------------------------------------------------------------------------------ the runtime */

/* Whether it is this program, under whatever name: starting it would never end. */
static bool is_launcher(const char *file, const struct stat *status) {
    struct stat own;
    if (stat("/proc/self/exe", &own) == 0 && own.st_dev == status->st_dev
        && own.st_ino == status->st_ino) {
        return true;
    }
    return status->st_size <= MAX_LAUNCHER && contains(file, MARK, sizeof MARK - 1);
}

static bool is_runtime(const char *file) {
    struct stat status;
    return stat(file, &status) == 0 && S_ISREG(status.st_mode) && access(file, X_OK) == 0
           && !is_launcher(file, &status);
}

static char *find_on_path(const char *name) {
    const char *path = getenv("PATH");
    if (path == NULL || *path == '\0') {
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    }
    while (true) {
        size_t length = strcspn(path, ":");
        if (length > 0) { /* an empty element would be the current directory, a bundle perhaps */
            char *file = join("%.*s/%s", (int)length, path, name);
            if (is_runtime(file)) {
                return file;
            }
            free(file);
        }
        if (path[length] == '\0') {
            return NULL;
        }
        path += length + 1;
    }
}

static char *find_runtime(const char *configured) {
    if (configured == NULL) {
        return find_on_path("runc");
    }
    if (strchr(configured, '/') == NULL) {
        return find_on_path(configured);
    }
    return is_runtime(configured) ? copy(configured, strlen(configured)) : NULL;
}

/* ---------------------------------------------------------------------------------- errors */

static void append(const char *file, const char *line) {
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        ssize_t written = write(fd, line, strlen(line));
        (void)written; /* nobody is left to be told */
        close(fd);
    }
}

static void tell(const struct settings *settings, const struct command *command, const char *level,
                 char *message) {
    char time_text[sizeof "2026-11-23T00:00:00Z"];
    time_t seconds = time(NULL);
    struct tm parts;
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
    for (char *c = message; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == '"' || *c == '\\') {
            *c = '?';
        }
    }
    char *line = join("%s %s tardis-runc: %s\n", time_text, level, message);
    if (settings->log_file != NULL) {
        append(settings->log_file, line);
    }
    free(line);
    if (command->log != NULL && strcmp(level, "ERROR") == 0) {
        line = command->log_json
                       ? join("{\"level\":\"error\",\"msg\":\"tardis-runc: %s\",\"time\":\"%s\"}\n",
                              message, time_text)
                       : join("time=\"%s\" level=error msg=\"tardis-runc: %s\"\n", time_text,
                              message);
        append(command->log, line);
        free(line);
    }
}

int main(int argc, char **argv) {
    (void)argc; /* as good as argv's NULL, and may be 0 */
    struct settings settings = read_settings();
    struct command command = parse(argv);
    enum answer answer = GO;
    if (is_possibly_ours(&settings, &command)) {
        answer = ask_daemon(&settings, argv);
        if (answer == NONE) {
            answer = start_daemon(&settings, argv, command.kind == DELETE);
        }
    }
    if (answer != GO) {
        tell(&settings, &command, "WARN",
             join("the daemon does not answer: %s/%s goes on without it", command.name_space,
                  command.id));
    }
    if (settings.state == SETTINGS_UNREADABLE && command.kind != PASS_THROUGH) {
        tell(&settings, &command, "WARN",
             join("%s: %s/%s goes on without Tardis", settings.problem, command.name_space,
                  command.id));
    }
    char *runtime = settings.runtime_known ? find_runtime(settings.runtime) : NULL;
    if (runtime == NULL) {
        tell(&settings, &command, "ERROR",
             !settings.runtime_known
                     ? join("%s, and so the runtime is not known; put it right", settings.problem)
             : settings.runtime == NULL
                     ? join("no runc on PATH; TARDIS_REAL_RUNC_CMD can name the runtime")
                     : join("TARDIS_REAL_RUNC_CMD=%s is no program that could be run in its place",
                            settings.runtime));
        return NO_RUNTIME;
    }
    argv[0] = runtime; /* it may say its own name, in its usage for instance */
    execve(runtime, argv, environ);
    tell(&settings, &command, "ERROR",
         join("%s cannot be run: %s", runtime, strerror(errno)));
    return NO_RUNTIME;
}
