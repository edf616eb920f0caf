/*
 * What the launcher does when the daemon has not done its work: it has a daemon started, waits for
 * that start if nobody has before it, and leaves a note for the daemon if all that was in vain.
 *
 * Who starts, starts alone, and apart: the starter is a process of its own, detached from the
 * container, which no deadline ends. It holds start.lock, watches the daemon until that answers or
 * ends, and writes down why it does not. All launchers together wait for one attempt, up to a budget
 * that begins with it; whoever comes later, or finds that the last attempt failed, goes on at once.
 */
#ifndef TARDIS_STARTER_H
#define TARDIS_STARTER_H

#include "command.h"
#include "daemon.h"
#include "settings.h"

#include <stdbool.h>

/*
 * Lets the daemon do the work of this call. Returns NULL if it has, or will catch up on it, and else
 * what is to be logged, to be freed.
 */
char *attend(const struct settings *settings, const struct command *command, char **argv);

#endif
