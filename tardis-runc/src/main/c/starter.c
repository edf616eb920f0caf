#define _GNU_SOURCE
#include "starter.h"

#include "daemon.h"
#include "files.h"
#include "rundir.h"
#include "runtime.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SETTLE_MS = 1000, /* for the starter to take the lock, and to look around */
    STARTER_POLL_MS = 10,
    STARTER_SLOW_POLL_MS = 250,
    STARTER_LIFE_MS = 60000, /* unless the daemon that it has started lives on */
    YOUTH_S = 10,            /* a daemon that answers and is gone so soon may be so each time */
    DESCRIPTORS = 65536, /* or as many more as the caller may have */
    MAX_LOG_TAIL = 4096
};

static const char OOM_SCORE[] = "-500";

struct starter {
    const struct settings *settings;
    char **argv; /* the launcher's */
    bool is_silent;
    const char *tardis; /* bin/tardis */
    int run_dir;
    struct failure before; /* the failures before this attempt, which counts as one at most */
    unsigned long deaths;  /* of daemons that answered and were gone soon, in a row, before it */
};

/*
 * Notes and logs a failure: once, for all containers that come while it lasts. One that is watched
 * is over when this process sees it; another one when a container comes after the delay.
 */
static void fail(const struct starter *starter, bool is_silent, bool is_watched, char *reason) {
    write_failure(starter->run_dir, &starter->before, is_silent, is_watched,
                  starter->settings->log_file, reason);
}

/* Leaves PATH, HOME, JAVA_HOME, the settings, and a locale in which Java reads names as UTF-8. */
static void clear_environment(void) {
    static const char *const KEPT[] = {"PATH=", "HOME=", "JAVA_HOME=", "TARDIS_"};
    char **kept = environ;
    for (char **variable = environ; *variable != NULL; variable++) {
        for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++) {
            if (strncmp(*variable, KEPT[i], strlen(KEPT[i])) == 0) {
                *kept++ = *variable;
            }
        }
    }
    *kept = NULL;
    (void)unsetenv(MARK_VARIABLE);
    (void)unsetenv("TARDIS_ENABLE");
    (void)setenv("PATH", DEFAULT_PATH, 0);
    (void)setenv("LC_ALL", "C.UTF-8", 1);
}

/* Both limits of a resource, or as much as this process may. */
static void set_limit(int resource, rlim_t wanted) {
    struct rlimit limit = {wanted, wanted};
    if (setrlimit(resource, &limit) != 0 && getrlimit(resource, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(resource, &limit);
    }
}

/* As a service manager would start it, whatever the container's manager is like. */
static void become_ordinary(void) {
    static const int UNLIMITED[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_AS, RLIMIT_NPROC};
    static const long AS_BEFORE_MAIN[8]; /* the kernel's sigaction: SIG_DFL, and nothing else */
    sigset_t none;
    for (int number = 1; number < NSIG; number++) {
        /* Not by signal(): the C library does not touch those that it uses itself. */
        (void)syscall(SYS_rt_sigaction, number, AS_BEFORE_MAIN, NULL, NSIG / 8);
    }
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    for (size_t i = 0; i < sizeof UNLIMITED / sizeof UNLIMITED[0]; i++) {
        set_limit(UNLIMITED[i], RLIM_INFINITY);
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        set_limit(RLIMIT_NOFILE, files.rlim_max < DESCRIPTORS ? DESCRIPTORS : files.rlim_max);
    }
    set_limit(RLIMIT_CORE, 0);
    (void)syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &(struct sched_param){0}); /* musl has none */
    (void)setpriority(PRIO_PROCESS, 0, 0);
    (void)write_text(AT_FDCWD, "/proc/self/oom_score_adj", OOM_SCORE);
    (void)chdir("/");
}

static pid_t start_daemon(const struct starter *starter) {
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    (void)setsid();
    int log = open_file(starter->run_dir, "start.log", O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (log >= 0) {
        (void)fcntl(log, F_SETFL, O_APPEND); /* without O_NONBLOCK */
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    clear_environment();
    execl(starter->tardis, starter->tardis, "daemon", NULL);
    char *line = join("tardis: %s cannot be run: %s\n", starter->tardis, strerror(errno));
    (void)write_all(STDERR_FILENO, line, strlen(line));
    _exit(NO_RUNTIME);
}

/* The last thing that it said as a tardis command does, or the last that is no stack trace. */
static const char *last_words(int run_dir) {
    static char text[MAX_LOG_TAIL + 1];
    const char *found = NULL;
    int fd = open_file(run_dir, "start.log", O_RDONLY | O_NOFOLLOW, 0);
    off_t size = lseek(fd, 0, SEEK_END);
    (void)lseek(fd, size > MAX_LOG_TAIL ? size - MAX_LOG_TAIL : 0, SEEK_SET);
    ssize_t length = read_all(fd, text, MAX_LOG_TAIL);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    bool is_said = false;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        bool says = strncmp(line, "tardis: ", 8) == 0;
        if (says || (!is_said && *line != '\t' && *line != ' ')) {
            found = says ? line + 8 : line;
            is_said |= says;
        }
    }
    return found == NULL || *found == '\0' ? NULL : found;
}

static char *describe_end(const struct starter *starter, int status) {
    const char *words = last_words(starter->run_dir);
    return words != NULL ? join("the daemon does not start: %s", words)
           : WIFSIGNALED(status)
                   ? join("the daemon does not start: it was killed by signal %d", WTERMSIG(status))
                   : join("the daemon does not start: it ended with status %d and said nothing",
                          WEXITSTATUS(status));
}

/* Who has the state directory: no second daemon could live there. */
static pid_t state_holder(const struct settings *settings) {
    char *path = join("%s/event_listener.lock", settings->state_dir);
    int fd = open_file(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);
    pid_t holder = lock_holder(fd); /* without a file, nobody */
    close(fd);
    free(path);
    return holder;
}

/* Sees to it that a daemon answers, until one does or it is clear why not. */
static void start(struct starter *starter) {
    static struct request ping;
    write_request(&ping, &(struct command){.kind = PASS_THROUGH});
    int64_t begin = time_ms(CLOCK_BOOTTIME);
    pid_t daemon = 0;
    bool is_started = false, is_late = false;
    while (true) {
        enum answer answer = ask(starter->settings->run_dir, &ping);
        if (answer == GO) {
            if (daemon > 0) {
                write_last_start(starter->run_dir, (struct last_start){time_ms(CLOCK_BOOTTIME), starter->deaths});
            }
            remove_failure(starter->run_dir);
            return;
        }
        int64_t age = time_ms(CLOCK_BOOTTIME) - begin;
        int status;
        char *reason = NULL;
        if (daemon > 0 && waitpid(daemon, &status, WNOHANG) == daemon) {
            daemon = 0; /* if it was another one's turn, that will answer soon */
            reason = describe_end(starter, status);
        }
        pid_t holder = daemon > 0 ? daemon : state_holder(starter->settings);
        if (holder == 0) {
            if (reason == NULL && is_started) {
                reason = join("the daemon ended before it answered");
            } else if (reason == NULL && (daemon = start_daemon(starter)) < 0) {
                reason = join("no process can be made for the daemon: %s", strerror(errno));
            }
            if (reason != NULL) {
                fail(starter, answer == SILENT, false, reason);
                return;
            }
            is_started = true;
        } else if (answer == SILENT && !starter->is_silent) {
            starter->is_silent = true;
            fail(starter, true, true, join("the daemon (process %d) does not answer", (int)holder));
        } else if (!is_late && !starter->is_silent && age > BUDGET_MS) {
            is_late = true;
            starter->before = read_failure(starter->run_dir);
            if (!starter->before.is_there) { /* else a launcher that waited has noted it */
                fail(starter, false, true,
                     daemon > 0 ? join("the daemon (process %d) takes long to start", (int)holder)
                                : join("process %d has %s, but does not listen on %s/tardis.sock",
                                       (int)holder, starter->settings->state_dir,
                                       starter->settings->run_dir));
            }
        }
        if (daemon <= 0 && age > STARTER_LIFE_MS) {
            return; /* the next container has it looked at again */
        }
        free(reason);
        sleep_ms(age > BUDGET_MS ? STARTER_SLOW_POLL_MS : STARTER_POLL_MS);
    }
}

/*
 * A daemon that answers and is soon ended again, by the kernel for instance, would be started, and
 * waited for, by each container anew. So its end counts as a start that failed, but for the first
 * one in a row: that may have been a person's, and the next container has another daemon.
 */
static bool died_young(struct starter *starter) {
    struct last_start last = read_last_start(starter->run_dir);
    bool is_counted = last.answered_at_boot_ms == 0;
    int64_t age = time_ms(CLOCK_BOOTTIME) - last.answered_at_boot_ms; /* below 0: of an earlier boot */
    bool died = !is_counted && age >= 0 && age < YOUTH_S * 1000
                && state_holder(starter->settings) == 0;
    starter->deaths = died ? last.deaths + 1 : is_counted ? last.deaths : 0;
    if (!died || starter->deaths == 1) {
        return false;
    }
    starter->before.failures = starter->deaths - 2;
    write_last_start(starter->run_dir, (struct last_start){0, starter->deaths});
    fail(starter, false, false,
         join("the daemon ended within %d s of its start, %lu times in a row", YOUTH_S, starter->deaths));
    return true;
}

/* Takes the lock, if nobody has it, and the note of the last failure says that it is time. */
static bool begin(struct starter *starter) {
    starter->run_dir = open_run_dir(starter->settings->run_dir);
    int lock_file = open_file(starter->run_dir, "start.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(lock_file, F_SETLK, &lock) != 0) {
        return false;
    }
    starter->before = read_failure(starter->run_dir);
    bool is_news = starter->is_silent && !starter->before.is_silent;
    if (starter->before.is_there && !is_news && !is_due(&starter->before)) {
        return false;
    }
    if (starter->is_silent) {
        fail(starter, true, true, join("the daemon does not answer"));
        return true;
    }
    return !died_young(starter);
}

/* For people who list processes. */
static void rename_process(char **argv, const char *name) {
    char *last = argv[0];
    for (char **argument = argv; *argument != NULL; argument++) {
        last = *argument + strlen(*argument);
    }
    size_t room = (size_t)(last - argv[0]);
    memset(argv[0], 0, room);
    strncpy(argv[0], name, room);
}

/* The launcher waits for the end of this process's standard input. */
static void start_apart(void *argument) {
    struct starter *starter = argument;
    char path[PATH_MAX];
    int null = open("/dev/null", O_RDWR); /* for the daemon, too: not close-on-exec */
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (null < 0 || length < 0) {
        return;
    }
    path[length] = '\0';
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    (void)setsid();
    become_ordinary();
    rename_process(starter->argv, "tardis-runc: starts the daemon");
    starter->tardis = join("%s/tardis", dirname(path));
    if (begin(starter)) {
        dup2(null, STDIN_FILENO);
        start(starter);
    }
}

void spawn_starter(const struct settings *settings, char **argv, bool is_silent) {
    struct starter starter = {.settings = settings, .argv = argv, .is_silent = is_silent};
    (void)do_apart(start_apart, &starter, SETTLE_MS);
}
