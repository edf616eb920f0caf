/*
 * Brings a call to the daemon. Where none answers, the launcher has one started (starter.h), waits
 * for that start if nobody has before it, and leaves a note for the daemon if all that was in vain.
 * All launchers together wait for one attempt, up to a budget that begins with it; whoever comes
 * later, or finds that the last attempt failed, goes on at once.
 */
#ifndef TARDIS_ATTEND_H
#define TARDIS_ATTEND_H

#include "command.h"
#include "settings.h"

/*
 * Lets the daemon do the work of this call. Returns NULL if it has, or will catch up on it, and else
 * what is to be logged, to be freed.
 */
char *attend(const struct settings *settings, const struct command *command, char **argv);

#endif
