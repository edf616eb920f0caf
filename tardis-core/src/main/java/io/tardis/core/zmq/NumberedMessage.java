package io.tardis.core.zmq;

import zmq.Msg;

/** A frame that is published, with the number of its message. Subscribers share it. */
final class NumberedMessage extends Msg {

    private final long number;

    NumberedMessage(byte[] frame, long number) {
        super(frame);
        this.number = number;
    }

    long number() {
        return number;
    }
}
