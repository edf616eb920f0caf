/* The command in a JVM of its own. */
#ifndef TARDIS_JVM_H
#define TARDIS_JVM_H

/*
 * Becomes lib/tardis-jvm of this installation, with the same arguments and environment. That finds
 * the installation by its own path. So it gets the path by which this program was called, without
 * the links of the program itself: the daemon watches what leads to its installation.
 */
_Noreturn void become_jvm(char **argv);

#endif
