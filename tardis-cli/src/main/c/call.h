/*
 * A command that the daemon runs for this process, over client.sock. io.tardis.cli.CommandProtocol
 * describes the bytes.
 */
#ifndef TARDIS_CALL_H
#define TARDIS_CALL_H

/*
 * Has the daemon run the command, and prints what that prints. Returns its exit status, or NOT_HERE
 * if the command is to run in a JVM: no daemon answers, or the daemon refuses it. Then nothing was
 * printed, unless argv was changed to go on where the daemon stopped.
 */
int call_daemon(int argc, char ***argv);

enum { NOT_HERE = -1 };

#endif
