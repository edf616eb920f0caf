package io.tardis.core.zmq;

import io.tardis.core.SetupException;
import io.tardis.core.UnavailableException;
import java.time.Duration;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.zeromq.ZMQ;

/** A REQ client that can ask again after a question without an answer. Belongs to one thread. */
public final class ZmqRequester implements AutoCloseable {

    private final Supplier<ZMQ.Socket> connect;
    private final String endpoint;
    private final Duration patience;
    private ZMQ.@Nullable Socket socket;

    ZmqRequester(Supplier<ZMQ.Socket> connect, String endpoint, Duration patience) {
        this.connect = connect;
        this.endpoint = endpoint;
        this.patience = patience;
    }

    /**
     * The answer to {@code question}.
     *
     * @param question its bytes
     * @param answerTime how long the other side may take by the question's own wish
     * @throws UnavailableException if there is none in that time and the patience on top of it
     * @throws SetupException if the endpoint is none, or its host is not known
     */
    public byte[] ask(byte[] question, Duration answerTime) {
        ZMQ.Socket connected = socket;
        if (connected == null) {
            connected = connect.get();
            socket = connected;
        }
        Duration wait = answerTime.plus(patience);
        int waitMillis = (int) Math.min(Integer.MAX_VALUE, wait.toMillis());
        connected.setReceiveTimeOut(waitMillis);
        connected.setSendTimeOut(waitMillis);
        byte[] answer = connected.send(question) ? connected.recv() : null;
        if (answer == null) {
            // A REQ socket that waits for an answer can send nothing else: only a new one can ask
            // again.
            close();
            throw new UnavailableException(
                    "no answer from " + endpoint + " within " + waitMillis + " ms");
        }
        return answer;
    }

    @Override
    public void close() {
        if (socket != null) {
            socket.close();
            socket = null;
        }
    }
}
