package io.tardis.core.zmq;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.OptionalInt;

/** Knows whose the connections of this machine are, which TCP does not say. */
public interface ConnectionOwners {

    /**
     * The user who made the client's socket of a connection on this machine. Waits a tenth of a
     * second at most.
     *
     * @param client the address of the socket that is looked for
     * @param server the address that it is connected to
     * @return empty if there is no such socket, or it is no longer connected
     * @throws IOException if that cannot be found out
     */
    OptionalInt uidOf(InetSocketAddress client, InetSocketAddress server) throws IOException;
}
