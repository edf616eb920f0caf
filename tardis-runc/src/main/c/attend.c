#define _GNU_SOURCE
#include "attend.h"

#include "daemon.h"
#include "files.h"
#include "log.h"
#include "rundir.h"
#include "starter.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUDGET_DELETE_MS = 3000 /* callers kill a clean-up's delete after 5 s */, POLL_MS = 5 };

static bool is_over(enum answer answer) {
    return answer == GO || answer == NOTE || answer == LATE;
}

/* Notes and logs what keeps this process from having a daemon. */
static void note(const struct settings *settings, int run_dir, const struct failure *before,
                 char *reason) {
    (void)write_failure(run_dir, before, false, reason, delay_after(before->failures + 1));
    log_warning(settings->log_file, join("%s; containers go on without it", reason));
    free(reason);
}

/*
 * Asks until the daemon answers, or the attempt to start it fails or has had its time, which is
 * noted: nobody waits for it again. The attempt may be a restart by a tardis command.
 */
static enum answer wait_for_start(const struct settings *settings, const struct request *request,
                                  int run_dir, int lock, int64_t budget) {
    const int64_t deadline = boot_ms() + budget;
    while (true) {
        pid_t starter = lock_holder(lock);
        enum answer answer = ask(settings->run_dir, request);
        if (is_over(answer) || answer == SILENT || starter == 0) {
            return answer;
        }
        struct failure failure;
        read_failure(settings->run_dir, &failure);
        if (failure.is_there) {
            return answer;
        }
        if (boot_ms() >= deadline) {
            note(settings, run_dir, &failure, join("the daemon takes long to start; process %d sees to it", (int)starter));
            return answer;
        }
        sleep_ms(POLL_MS);
    }
}

/* Has a daemon started, and waits for it if nobody knows yet that this is in vain. */
static enum answer have_it_started(const struct settings *settings, const struct command *command,
                                   char **argv, int run_dir, const struct request *request,
                                   const struct failure *failure, enum answer answer) {
    int lock = open_file(run_dir, "start.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (lock < 0) {
        if (!failure->is_there || is_due(failure)) {
            note(settings, run_dir, failure,
                 join("no daemon can be started: %s/start.lock cannot be opened: %s",
                      settings->run_dir, strerror(errno)));
        }
        return answer;
    }
    bool is_news = answer == SILENT && !failure->is_silent;
    if (is_news || (lock_holder(lock) == 0 && (!failure->is_there || is_due(failure)))) {
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
    struct failure failure;
    write_request(&request, command);
    if (request.length == 0) {
        return join("its paths are too long for the daemon");
    }
    read_failure(settings->run_dir, &failure);
    enum answer answer = failure.is_there && failure.is_silent ? SILENT : ask(settings->run_dir, &request);
    if (answer == GO && !failure.is_there) {
        return NULL;
    }
    int run_dir = open_run_dir(settings->run_dir);
    if (run_dir >= 0 && !is_over(answer)) {
        answer = have_it_started(settings, command, argv, run_dir, &request, &failure, answer);
    }
    char *problem = NULL;
    if (answer == GO) {
        if (run_dir >= 0) {
            remove_failure(run_dir);
        }
    } else if (run_dir < 0 && command->kind != CREATE) {
        /* The create has told it, of a container that is Tardis's. */
    } else if (run_dir < 0) {
        problem = join("the daemon does not answer, and no note can be left in %s, which has to be a directory of user %d's that nobody else can write to", settings->run_dir, (int)geteuid());
    } else {
        const char *reason = leave_note(run_dir, command, &request);
        problem = reason == NULL ? NULL : join("the daemon does not answer, and no note can be left for it: %s", reason);
    }
    if (run_dir >= 0) {
        close(run_dir);
    }
    return problem;
}
