/*
 * tardis-runc: what containerd starts in the place of runc.
 *
 * It asks the daemon for its work and becomes the real runtime with execve: same pid, arguments,
 * descriptors and directory, and the same environment but for a mark that keeps a runtime which
 * leads back here from going in circles. It decides one thing alone, whether a command line may
 * concern Tardis; all else is Java, in io.tardis.runc. Whatever fails, the runtime runs.
 *
 *   what it is about                                      what happens before execve
 *   ----------------------------------------------------  ---------------------------------------
 *   not create, restore, start or delete                  nothing
 *   create, restore: neither "TARDIS_ENABLE=" nor         nothing
 *     "io.tardis.enable" in config.json, and no open
 *     life of that name
 *   start, delete: no open life                           nothing
 *   otherwise                                             the daemon's work (attend.h)
 *
 * Nothing is ever written to stdout or stderr: they are the container's, or containerd parses them.
 * No signal is handled or blocked: the runtime would inherit it.
 */
#define _GNU_SOURCE
#include "attend.h"
#include "command.h"
#include "files.h"
#include "log.h"
#include "rundir.h"
#include "runtime.h"
#include "settings.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CONFIG = 8 * 1024 * 1024 /* as Bundle reads */ };

/* The bundle says that it may be: true, or false and why that cannot be told. */
static bool is_enabled(const struct command *command, char **problem) {
    static const char VARIABLE[] = "TARDIS_ENABLE=", ANNOTATION[] = "io.tardis.enable";
    char *config = join("%s/config.json", command->bundle);
    enum look look = look_for(config, VARIABLE, sizeof VARIABLE - 1, MAX_CONFIG);
    if (look == WITHOUT) {
        look = look_for(config, ANNOTATION, sizeof ANNOTATION - 1, MAX_CONFIG);
    }
    if (look == UNREADABLE) {
        *problem = join("%s cannot be searched: %s", config, why(errno));
    }
    free(config);
    return look == WITH;
}

/* Whether a life of that name is open; one that cannot be looked at is for the daemon to tell. */
static bool is_open(const struct settings *settings, const struct command *command) {
    return may_exist(join("%s/containers/%s/%s/life.json", settings->state_dir, command->name_space,
                          command->id))
           || is_missed(settings->run_dir, command);
}

/* Does what is to be done before the runtime runs; returns what is to be logged, or NULL. */
static char *before(const struct settings *settings, const struct command *command, char **argv) {
    if (command->kind == PASS_THROUGH) {
        return NULL;
    }
    if (settings->problem != NULL) {
        /* Once, since nobody knows whose the other calls are. */
        return command->kind == CREATE ? join("%s", settings->problem) : NULL;
    }
    char *problem = NULL;
    if (is_open(settings, command) || (command->kind == CREATE && is_enabled(command, &problem))) {
        return attend(settings, command, argv);
    }
    return problem;
}

/* What becomes of this process, found out by another one, perhaps: see with_descriptors. */
struct job {
    pid_t self;
    char **argv;
    struct settings settings;
    struct command command;
    char *runtime;
    char *problem; /* why the runtime does not run */
};

static char *runtime_problem(const struct settings *settings) {
    return !settings->runtime_known
                   ? join("%s, and so the runtime is not known; put it right", settings->problem)
           : settings->runtime == NULL
                   ? join("no runc on PATH; TARDIS_REAL_RUNC_CMD can name the runtime")
                   : join("TARDIS_REAL_RUNC_CMD=%s is no program that could be run in its place",
                          settings->runtime);
}

static void prepare(void *argument) {
    struct job *job = argument;
    job->settings = read_settings();
    job->command = parse_command(job->argv);
    struct mark mark = make_mark(job->self, &job->command, job->argv);
    if (is_round_trip(&mark)) {
        job->problem = join("%s leads back to tardis-runc; TARDIS_REAL_RUNC_CMD has to name the"
                            " runtime itself",
                            job->settings.runtime == NULL ? "runc on PATH" : job->settings.runtime);
        return;
    }
    char *problem = before(&job->settings, &job->command, job->argv);
    if (problem != NULL) {
        log_warning(job->settings.log_file,
                    join("%s/%s goes on without Tardis: %s", job->command.name_space,
                         job->command.id, problem));
        free(problem);
    }
    job->runtime = job->settings.runtime_known ? find_runtime(job->settings.runtime) : NULL;
    job->problem = job->runtime == NULL ? runtime_problem(&job->settings) : NULL;
    leave_mark(&mark);
}

static void give_up(void *argument) {
    struct job *job = argument;
    log_error(job->settings.log_file, &job->command, job->problem);
}

int main(int argc, char **argv) {
    (void)argc; /* as good as argv's NULL, and may be 0 */
    struct job job = {.self = getpid(), .argv = argv};
    with_descriptors(prepare, &job);
    if (job.problem == NULL) {
        argv[0] = job.runtime; /* it may say its own name, in its usage for instance */
        execv(job.runtime, argv);
        if (errno == E2BIG) { /* by the mark alone, perhaps */
            (void)unsetenv(MARK_VARIABLE);
            execv(job.runtime, argv);
        }
        job.problem = join("%s cannot be run: %s", job.runtime, strerror(errno));
    }
    with_descriptors(give_up, &job);
    return NO_RUNTIME;
}
