package io.tardis.core.zmq;

import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import zmq.Msg;
import zmq.ZError;
import zmq.io.SessionBase;
import zmq.io.StreamEngine;

/**
 * One connection that was accepted. Whatever its client sends goes through here, after JeroMQ has
 * read (and, with CURVE, decrypted) it and before it waits for the socket's thread: so this is the
 * place of every limit. A client that is over one loses its connection, and nobody else anything.
 *
 * <p>For the I/O thread alone.
 */
abstract class ClientSession extends SessionBase {

    private static final Logger LOG = LoggerFactory.getLogger(ClientSession.class);

    /** What a frame takes besides its bytes: a message, a buffer, an array, places in queues. */
    static final int FRAME_BYTES = 150;

    /**
     * The longest frame of a handshake: INITIATE, with an identity of 255 bytes, and some more.
     * Each of its properties takes some 200 bytes as long as the connection is there.
     */
    private static final int MAX_HANDSHAKE_BYTES = 640;

    private final TcpEndpoint endpoint;
    final Clients.Client client;

    /** Known where the socket wants identities, as those do whose frames may be longer. */
    private boolean greeted;

    private boolean ending;

    ClientSession(TcpEndpoint.Connection connection) {
        super(connection.io(), false, connection.socket(), connection.options(), null);
        this.endpoint = connection.endpoint();
        this.client = connection.client();
    }

    /** As the one that launches it must, before it does. */
    final void announce() {
        incSeqnum();
    }

    /**
     * Room for a frame that is announced; an empty frame, and the end of the connection, where it
     * is too long. Nothing is thrown, and nothing is allocated by the client's word alone.
     */
    final Msg allocate(int size) {
        @Nullable String tooLong = null;
        if (size < 0) {
            tooLong = "a frame of a negative size";
        } else if (greeted || !options.recvIdentity) {
            tooLong = refusalToRead(size);
        } else if (size > MAX_HANDSHAKE_BYTES) {
            tooLong = "a frame of a handshake has more than " + MAX_HANDSHAKE_BYTES + " bytes";
        }
        if (tooLong == null) {
            return new Msg(size);
        }
        end(tooLong);
        return new Msg(0);
    }

    /** Why a frame of this size is not even read; null if it is. */
    abstract @Nullable String refusalToRead(int size);

    /** Hands a frame on, or not. False, and an error number, as {@link #pushMsg}. */
    abstract boolean take(Msg frame);

    /** Ends the connection if it has stood still for too long. */
    abstract void look(long nanoTime);

    @Override
    protected final boolean pushMsg(Msg frame) {
        greeted = true; // the identity comes first, and nothing comes before the handshake is over
        if (frame.isIdentity()) {
            return handOn(identity());
        }
        if (ending) {
            errno.set(ZError.EPROTO);
            return false;
        }
        return take(frame);
    }

    /** Queues a frame for the socket's thread; false if the queue is full, which JeroMQ handles. */
    final boolean handOn(Msg frame) {
        return super.pushMsg(frame);
    }

    /**
     * A number of ours in the place of what the client calls itself: two clients of one name, or
     * one that guesses another's, would get each other's answers.
     */
    private Msg identity() {
        Msg identity = new Msg(ByteBuffer.allocate(Long.BYTES).putLong(client.number()).array());
        identity.setFlags(Msg.IDENTITY);
        return identity;
    }

    /** Ends the connection; returns what {@link #pushMsg} has to return then. */
    final boolean refuse(String reason) {
        end(reason);
        errno.set(ZError.EPROTO);
        return false;
    }

    /** Ends the connection as soon as what is going on with it has returned. */
    final void end(String reason) {
        if (!ending) {
            ending = true;
            endpoint.refused(reason);
            terminate();
        }
    }

    final boolean isEnding() {
        return ending;
    }

    @Override
    public final void engineError(boolean handshaked, StreamEngine.ErrorReason reason) {
        super.engineError(handshaked, reason);
        endpoint.disconnected(this);
    }

    @Override
    public final void destroy() {
        super.destroy();
        endpoint.ended(this);
    }

    /** The connection's other half: JeroMQ's reader and writer of ZMTP. */
    final StreamEngine engine(SocketChannel channel) {
        return new Engine(channel);
    }

    /** What a client makes JeroMQ throw costs that client the connection. */
    private final class Engine extends StreamEngine {

        Engine(SocketChannel channel) {
            super(channel, options, endpoint.getAddress());
        }

        @Override
        public void inEvent() {
            guarded(super::inEvent);
        }

        @Override
        public void outEvent() {
            guarded(super::outEvent);
        }

        @Override
        public void restartInput() {
            guarded(super::restartInput);
        }

        @Override
        public void restartOutput() {
            guarded(super::restartOutput);
        }

        @Override
        public void zapMsgAvailable() {
            guarded(super::zapMsgAvailable);
        }

        @Override
        public void timerEvent(int id) {
            guarded(() -> super.timerEvent(id));
        }

        private void guarded(Runnable step) {
            ClientSession before = endpoint.turnTo(ClientSession.this);
            try {
                step.run();
            } catch (RuntimeException e) {
                LOG.debug("what a client sent cannot be handled", e);
                end("what it sent cannot be handled");
            } catch (OutOfMemoryError e) { // outside the heap; one of the heap ends the JVM
                LOG.debug("a client cannot be served", e);
                end("no memory is left for its buffers");
            } finally {
                endpoint.turnTo(before);
            }
        }
    }
}
