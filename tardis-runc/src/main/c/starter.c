#define _GNU_SOURCE
#include "starter.h"

#include "daemon.h"
#include "files.h"
#include "log.h"
#include "rundir.h"
#include "runtime.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SETTLE_MS = 1000, /* for the starter to take the lock, and to look around */
    STARTER_POLL_MS = 10,
    STARTER_SLOW_POLL_MS = 250,
    STARTER_LIFE_MS = 60000, /* unless the daemon that it has started lives on */
    YOUTH_S = 10,            /* a daemon that answers and is gone so soon may be so each time */
    OOM_SCORE = -500,
    DESCRIPTORS = 65536, /* or as many more as the caller may have */
    MAX_LOG_TAIL = 4096
};

struct starter {
    const struct settings *settings;
    const char *tardis; /* bin/tardis */
    int run_dir;
    struct failure before; /* the failures before this attempt, which counts as one at most */
    unsigned long deaths;  /* of daemons that answered and were gone soon, in a row, before it */
};

/*
 * Notes and logs a failure: once, for all containers that come while it lasts. One that is watched
 * is over when this process sees it; another one when a container comes after the delay.
 */
static void fail(struct starter *starter, bool is_silent, bool is_watched, char *reason) {
    int64_t delay = is_watched ? STARTER_LIFE_MS : delay_after(starter->before.failures + 1);
    (void)write_failure(starter->run_dir, &starter->before, is_silent, reason, delay);
    log_warning(starter->settings->log_file,
                join("%s; containers go on without it, and it is tried again in %lld s", reason,
                     (long long)delay / 1000));
    free(reason);
}

/* PATH, HOME, JAVA_HOME, the settings, and a locale in which Java reads file names as UTF-8. */
static char **make_environment(void) {
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **result = calloc(count + 3, sizeof *result);
    if (result == NULL) {
        _exit(NO_RUNTIME);
    }
    size_t length = 0;
    for (char **variable = environ; *variable != NULL; variable++) {
        static const char *const KEPT[] = {"PATH=", "HOME=", "JAVA_HOME=", "TARDIS_"};
        for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++) {
            bool kept = strncmp(*variable, KEPT[i], strlen(KEPT[i])) == 0;
            if (kept && !is_mark(*variable) && strncmp(*variable, "TARDIS_ENABLE=", 14) != 0) {
                result[length++] = *variable;
            }
        }
    }
    result[length++] = join("LC_ALL=C.UTF-8");
    if (getenv("PATH") == NULL) {
        result[length++] = join("PATH=%s", DEFAULT_PATH);
    }
    return result;
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
    struct rlimit limit;
    for (size_t i = 0; i < sizeof UNLIMITED / sizeof UNLIMITED[0]; i++) {
        limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
        if (setrlimit(UNLIMITED[i], &limit) != 0 && getrlimit(UNLIMITED[i], &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            (void)setrlimit(UNLIMITED[i], &limit);
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        rlim_t most = limit.rlim_max < DESCRIPTORS ? DESCRIPTORS : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){most, most}) != 0) {
            limit.rlim_cur = limit.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    limit = (struct rlimit){0, 0};
    (void)setrlimit(RLIMIT_CORE, &limit);
    (void)syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &(struct sched_param){0}); /* musl has none */
    (void)setpriority(PRIO_PROCESS, 0, 0);
    int fd = open_file(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY, 0);
    if (fd >= 0) {
        char *score = join("%d", OOM_SCORE);
        (void)write_all(fd, score, strlen(score));
        free(score);
        close(fd);
    }
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
    char *tardis = copy(starter->tardis, strlen(starter->tardis));
    char *argv[] = {tardis, join("daemon"), NULL};
    execve(tardis, argv, make_environment());
    char *line = join("tardis: %s cannot be run: %s\n", tardis, strerror(errno));
    (void)write_all(STDERR_FILENO, line, strlen(line));
    _exit(NO_RUNTIME);
}

/* The last thing that it said as a tardis command does, or the last that is no stack trace. */
static char *last_words(int run_dir) {
    static char text[MAX_LOG_TAIL + 1];
    const char *found = NULL;
    int fd = open_file(run_dir, "start.log", O_RDONLY | O_NOFOLLOW, 0);
    if (fd < 0) {
        return NULL;
    }
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
    return found == NULL || *found == '\0' ? NULL : copy(found, strlen(found));
}

static char *describe_end(const struct starter *starter, int status) {
    char *words = last_words(starter->run_dir);
    char *result =
            words != NULL ? join("the daemon does not start: %s", words)
            : WIFSIGNALED(status)
                    ? join("the daemon does not start: it was killed by signal %d", WTERMSIG(status))
                    : join("the daemon does not start: it ended with status %d and said nothing",
                           WEXITSTATUS(status));
    free(words);
    return result;
}

/* Who has the state directory: no second daemon could live there. */
static pid_t state_holder(const struct settings *settings) {
    char *path = join("%s/event_listener.lock", settings->state_dir);
    int fd = open_file(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);
    pid_t holder = fd < 0 ? 0 : lock_holder(fd);
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    return holder;
}

/* Sees to it that a daemon answers, until one does or it is clear why not. */
static void start(struct starter *starter, bool is_silent) {
    static struct request ping;
    write_request(&ping, &(struct command){.kind = PASS_THROUGH});
    int64_t begin = boot_ms();
    pid_t daemon = 0;
    bool is_started = false, is_late = false;
    while (true) {
        enum answer answer = ask(starter->settings->run_dir, &ping);
        if (answer == GO) {
            if (daemon > 0) {
                write_last_start(starter->run_dir, &(struct last_start){boot_ms(), starter->deaths});
            }
            remove_failure(starter->run_dir);
            return;
        }
        int64_t age = boot_ms() - begin;
        int status;
        if (daemon > 0 && waitpid(daemon, &status, WNOHANG) == daemon) {
            daemon = 0;
            if (state_holder(starter->settings) == 0) {
                fail(starter, answer == SILENT, false, describe_end(starter, status));
                return;
            } /* else it was another one's turn, which will answer soon */
        }
        pid_t holder = daemon > 0 ? daemon : state_holder(starter->settings);
        if (holder == 0) {
            if (is_started) {
                fail(starter, answer == SILENT, false, join("the daemon ended before it answered"));
                return;
            }
            is_started = true;
            daemon = start_daemon(starter);
            if (daemon < 0) {
                fail(starter, answer == SILENT, false, join("no process can be made for the daemon: %s", strerror(errno)));
                return;
            }
        } else if (answer == SILENT && !is_silent) {
            is_silent = true;
            fail(starter, true, true, join("the daemon (process %d) does not answer", (int)holder));
        } else if (!is_late && !is_silent && age > BUDGET_MS) {
            is_late = true;
            read_failure(starter->settings->run_dir, &starter->before);
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
    int64_t age = boot_ms() - last.answered_at_boot_ms; /* below 0: of an earlier boot */
    bool died = !is_counted && age >= 0 && age < YOUTH_S * 1000
                && state_holder(starter->settings) == 0;
    starter->deaths = died ? last.deaths + 1 : is_counted ? last.deaths : 0;
    if (!died || starter->deaths == 1) {
        return false;
    }
    starter->before.failures = starter->deaths - 2;
    write_last_start(starter->run_dir, &(struct last_start){0, starter->deaths});
    fail(starter, false, false,
         join("the daemon ended within %d s of its start, %lu times in a row", YOUTH_S, starter->deaths));
    return true;
}

/* Takes the lock, if nobody has it, and the note of the last failure says that it is time. */
static bool begin(struct starter *starter, bool is_silent) {
    starter->run_dir = open_run_dir(starter->settings->run_dir);
    int lock_file = starter->run_dir < 0 ? -1 : open_file(starter->run_dir, "start.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (lock_file < 0 || fcntl(lock_file, F_SETLK, &lock) != 0) {
        return false;
    }
    read_failure(starter->settings->run_dir, &starter->before);
    bool is_news = is_silent && !starter->before.is_silent;
    if (starter->before.is_there && !is_news && !is_due(&starter->before)) {
        return false;
    }
    if (is_silent) {
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

struct start {
    const struct settings *settings;
    char **argv;
    bool is_silent;
};

static void detach(void *argument) {
    const struct start *asked = argument;
    int null = open_file(AT_FDCWD, "/dev/null", O_RDWR, 0);
    for (int fd = 0; null >= 0 && fd <= 2; fd++) {
        dup2(null, fd);
    }
    close_from(null < 0 ? 0 : 3);
    (void)setsid();
    become_ordinary();
    int settled[2];
    char *tardis = own_directory();
    if (null < 0 || tardis == NULL || pipe2(settled, O_CLOEXEC) != 0) {
        return;
    }
    struct starter starter = {.settings = asked->settings, .tardis = join("%stardis", tardis)};
    pid_t child = fork();
    if (child == 0) {
        rename_process(asked->argv, "tardis-runc: starts the daemon");
        close(settled[0]);
        bool begun = begin(&starter, asked->is_silent);
        close(settled[1]);
        if (begun) {
            start(&starter, asked->is_silent);
        }
        _exit(0);
    }
    close(settled[1]);
    (void)poll(&(struct pollfd){.fd = settled[0], .events = POLLIN}, 1, SETTLE_MS);
}

void spawn_starter(const struct settings *settings, char **argv, bool is_silent) {
    (void)in_own_process(detach, &(struct start){settings, argv, is_silent});
}
