package io.tardis.core;

import java.util.Optional;

/** Which users of this machine may read from Tardis. Nobody but root may change anything. */
public interface Readers {

    /**
     * A group whose members may read.
     *
     * @param name as the user database has it
     * @param gid its number
     */
    record Group(String name, int gid) {}

    /**
     * Whether this user may read: root, the daemon's user, and the members of the group. Never
     * waits; from any thread. A new member may after ten seconds.
     *
     * @param uid as the kernel has it, without a sign
     */
    boolean mayRead(int uid);

    /** The group, for the owner and the mode of what it may use; empty if there is none. */
    Optional<Group> group();
}
