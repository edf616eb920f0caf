/*
 * Starts a daemon. Who starts, starts alone, and apart: the starter is a process of its own, detached
 * from the container, which no deadline ends. It holds start.lock, watches the daemon until that
 * answers or ends, and writes down why it does not.
 */
#ifndef TARDIS_STARTER_H
#define TARDIS_STARTER_H

#include "settings.h"

#include <stdbool.h>

/* So long the launchers wait for a start: callers kill a create after 10 s or more. */
enum { BUDGET_MS = 7000 };

/*
 * Returns when the starter has the lock, or has found that it is not needed. Silent is a daemon that
 * listens, but does not answer: that is looked after until it does.
 */
void spawn_starter(const struct settings *settings, char **argv, bool is_silent);

#endif
