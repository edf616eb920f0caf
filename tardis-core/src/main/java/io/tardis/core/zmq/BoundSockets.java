package io.tardis.core.zmq;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.zeromq.ZMQ;

/**
 * What one role is bound to.
 *
 * @param inside bound to {@code inproc}
 * @param outside bound to {@code tcp}
 */
record BoundSockets(Optional<ZMQ.Socket> inside, Optional<ZMQ.Socket> outside) {

    /** Both, this process's own first. */
    List<ZMQ.Socket> all() {
        return Stream.concat(inside.stream(), outside.stream()).toList();
    }
}
