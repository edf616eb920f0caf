#define _GNU_SOURCE
#include "attend.h"

#include "daemon.h"
#include "files.h"
#include "rundir.h"
#include "starter.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUDGET_DELETE_MS = 3000 /* callers kill a clean-up's delete after 5 s */, POLL_MS = 5 };

static bool is_over(enum answer answer) {
    return answer == GO || answer == NOTE || answer == LATE;
}

/*
 * Asks until the daemon answers, or the attempt to start it fails or has had its time, which is
 * noted: nobody waits for it again. The attempt may be a restart by a tardis command.
 */
static enum answer wait_for_start(const struct settings *settings, const struct request *request,
                                  int run_dir, int lock, int64_t budget) {
    const int64_t deadline = time_ms(CLOCK_BOOTTIME) + budget;
    while (true) {
        pid_t starter = lock_holder(lock);
        enum answer answer = ask(settings->run_dir, request);
        struct failure failure = read_failure(run_dir);
        if (is_over(answer) || answer == SILENT || starter == 0 || failure.is_there) {
            return answer;
        }
        if (time_ms(CLOCK_BOOTTIME) >= deadline) {
            write_failure(run_dir, &failure, false, false, settings->log_file,
                          join("the daemon takes long to start; process %d sees to it",
                               (int)starter));
            return answer;
        }
        sleep_ms(POLL_MS);
    }
}

/* Has a daemon started, and waits for it if nobody knows yet that this is in vain. */
static enum answer have_it_started(const struct settings *settings, const struct command *command,
                                   char **argv, int run_dir, const struct request *request,
                                   const struct failure *failure, enum answer answer) {
    bool may_try = !failure->is_there || is_due(failure);
    int lock = open_file(run_dir, "start.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (lock < 0) {
        if (may_try) {
            write_failure(run_dir, failure, false, false, settings->log_file,
                          join("no daemon can be started: %s/start.lock cannot be opened: %s",
                               settings->run_dir, strerror(errno)));
        }
        return answer;
    }
    bool is_news = answer == SILENT && !failure->is_silent;
    if (is_news || (may_try && lock_holder(lock) == 0)) {
        spawn_starter(settings, argv, is_news);
    }
    if (!failure->is_there && !is_news) {
        answer = wait_for_start(settings, request, run_dir, lock,
                                command->kind == DELETE ? BUDGET_DELETE_MS : BUDGET_MS);
        if (answer == SILENT) {
            spawn_starter(settings, argv, true);
        }
    }
    close(lock);
    return answer;
}

char *attend(const struct settings *settings, const struct command *command, char **argv) {
    static struct request request;
    write_request(&request, command);
    if (request.length == 0) {
        return join("its paths are too long for the daemon");
    }
    int run_dir = open_run_dir(settings->run_dir);
    struct failure failure = read_failure(run_dir);
    enum answer answer =
            failure.is_there && failure.is_silent ? SILENT : ask(settings->run_dir, &request);
    bool may_have_failed = failure.is_there;
    if (run_dir >= 0 && !is_over(answer)) {
        answer = have_it_started(settings, command, argv, run_dir, &request, &failure, answer);
        may_have_failed = true;
    }
    char *problem = NULL;
    if (answer == GO) {
        if (may_have_failed) {
            remove_failure(run_dir);
        }
    } else if (run_dir >= 0) {
        const char *reason = leave_note(run_dir, command, &request);
        problem = reason == NULL ? NULL : join("the daemon does not answer, and no note can be left for it: %s", reason);
    } else if (command->kind == CREATE) { /* once for a container that is Tardis's */
        problem = join("the daemon does not answer, and no note can be left in %s, which has to be a directory of user %d's that nobody else can write to", settings->run_dir, (int)geteuid());
    }
    close(run_dir);
    return problem;
}
