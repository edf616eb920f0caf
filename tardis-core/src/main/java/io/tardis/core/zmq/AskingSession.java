package io.tardis.core.zmq;

import io.tardis.core.config.Setting;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import zmq.Msg;

/** A connection that asks: requests of bounded frames and bytes come in, answers go out. */
final class AskingSession extends ClientSession {

    /** The longest request, all its frames together. A frame of CURVE is a little longer. */
    static final int MAX_BYTES = Setting.MAX_REQUEST_BYTES.max();

    private static final int CURVE_BYTES = 64;

    /** The longest envelope, and the request: some frames for each hop on the way. */
    static final int MAX_FRAMES = 64;

    /** How long the rest of a request may take to come. */
    private static final Duration ARRIVAL = Duration.ofSeconds(10);

    /** How long TCP may take to take an answer: 5 MiB at 100 KiB/s. */
    private static final Duration DEPARTURE = Duration.ofMinutes(1);

    private static final String TOO_LONG =
            "a request has more than " + MAX_BYTES + " bytes, all its frames together";

    /** What the frame that is being read takes, and the request that it is part of. */
    private long reserved;

    private int frames;
    private int bytes;
    private boolean isArriving;
    private long arrivingSince;

    /** What JeroMQ is writing now. */
    private long writing;

    private long writingSince;

    AskingSession(TcpEndpoint.Connection connection) {
        super(connection);
    }

    @Override
    @Nullable String refusalToRead(int size) {
        if (size > MAX_BYTES + CURVE_BYTES) {
            return TOO_LONG;
        }
        if (!isArriving) {
            isArriving = true;
            arrivingSince = System.nanoTime();
        }
        reserved = (long) size + FRAME_BYTES;
        return client.arriving().take(reserved)
                ? null
                : "requests that nobody has handled yet take too much memory";
    }

    @Override
    boolean take(Msg frame) {
        // It may be shorter than announced, without what CURVE needs; and come again, if the
        // socket's thread is behind.
        long cost = (long) frame.size() + FRAME_BYTES;
        client.arriving().give(reserved - cost);
        reserved = cost;
        if (frame.isCommand()) {
            client.arriving().give(cost);
            reserved = 0;
            isArriving = frames > 0;
            return true;
        }
        if (frames == MAX_FRAMES) {
            return refuse("a request has more than " + MAX_FRAMES + " frames");
        }
        if (bytes + frame.size() > MAX_BYTES) {
            return refuse(TOO_LONG);
        }
        if (!handOn(frame)) {
            return false;
        }
        reserved = 0;
        isArriving = frame.hasMore();
        frames = isArriving ? frames + 1 : 0;
        bytes = isArriving ? bytes + frame.size() : 0;
        return true;
    }

    @Override
    protected @Nullable Msg pullMsg() {
        client.leaving().give(writing);
        Msg frame = super.pullMsg();
        writing = frame == null ? 0 : (long) frame.size() + FRAME_BYTES;
        writingSince = System.nanoTime();
        return frame;
    }

    @Override
    void look(long nanoTime) {
        if (isArriving && nanoTime - arrivingSince > ARRIVAL.toNanos()) {
            end("the rest of a request has not come for " + ARRIVAL.toSeconds() + " s");
        } else if (writing > 0 && nanoTime - writingSince > DEPARTURE.toNanos()) {
            end("an answer was not read for " + DEPARTURE.toSeconds() + " s");
        } else if (client.unwanted().get()) {
            end("it does not read its answers");
        }
    }
}
