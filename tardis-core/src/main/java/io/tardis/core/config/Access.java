package io.tardis.core.config;

import java.util.Optional;

/**
 * Who besides root and the daemon's user may read.
 *
 * @param group the group whose members may; empty for none, or for the default one
 * @param defaultGroup whether that is {@value #DEFAULT_GROUP}, if there is such a group
 * @param anyLocalClient whether every local user may over ZeroMQ, where no keys decide
 */
public record Access(Optional<String> group, boolean defaultGroup, boolean anyLocalClient) {

    /** The group that counts where none is set, if it exists. */
    public static final String DEFAULT_GROUP = "tardis";

    /** What counts where nothing is set. */
    public static final Access DEFAULT = new Access(Optional.empty(), true, false);
}
