package io.tardis.core.event;

import java.time.Instant;

/**
 * The end of one process of a container, as a source reports it.
 *
 * @param container the container
 * @param id the container's id for its own (init) process, else the exec id
 * @param pid the process in the host's pid namespace; 0 where the source does not say
 * @param exitStatus the status as containerd counts it, an unsigned 32-bit number: the exit code,
 *     or 128 plus the signal. It is not validated
 * @param exitedAt when the process ended, by the wall clock of the node
 * @param isContainerExit whether it is the container's own (init) process that ended. An exec'd
 *     process may have the container's id, too
 */
public record TaskExit(
        ContainerKey container,
        String id,
        long pid,
        long exitStatus,
        Instant exitedAt,
        boolean isContainerExit) {

    /** The largest value of containerd's {@code uint32} fields. */
    public static final long MAX_UINT32 = 0xFFFF_FFFFL;

    public TaskExit {
        if (!ContainerKey.isIdentifier(id)) {
            throw new IllegalArgumentException("not a process id of containerd: '" + id + "'");
        }
        if (pid < 0 || pid > MAX_UINT32) {
            throw new IllegalArgumentException("pid out of range: " + pid);
        }
        if (isContainerExit && !id.equals(container.id())) {
            throw new IllegalArgumentException("not the id of " + container + ": '" + id + "'");
        }
        if (exitStatus < 0 || exitStatus > MAX_UINT32) {
            throw new IllegalArgumentException("exit status out of range: " + exitStatus);
        }
    }

    /** The end of the container's own process if {@code id} is the container's. */
    public TaskExit(
            ContainerKey container, String id, long pid, long exitStatus, Instant exitedAt) {
        this(container, id, pid, exitStatus, exitedAt, id.equals(container.id()));
    }

    /** The same end, of an exec'd process. */
    public TaskExit asExec() {
        return new TaskExit(container, id, pid, exitStatus, exitedAt, false);
    }
}
