package io.tardis.core.zmq;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.zeromq.SocketType;
import org.zeromq.ZMQ;

@Timeout(60)
class WakeupTest {

    private static final long LONG = Duration.ofSeconds(20).toMillis();

    private final ZMQ.Context context = ZMQ.context(1);
    private ZMQ.Socket socket;
    private Wakeup wakeup;

    @BeforeEach
    void open() {
        socket = context.socket(SocketType.PULL);
        socket.bind("inproc://wakeup");
        wakeup = new Wakeup(context, List.of(socket));
    }

    @AfterEach
    void close() {
        wakeup.close();
        socket.close();
        context.term();
    }

    @Test
    void endsTheNextWaitAndOnlyThat() {
        wakeup.wake();
        wakeup.wake();

        assertThat(wakeup.awaitReadable(-1)).isFalse();
        assertThat(waited(30)).isGreaterThanOrEqualTo(25);
    }

    @Test
    void seesTheSocketBesideAWake() {
        try (ZMQ.Socket push = context.socket(SocketType.PUSH)) {
            push.connect("inproc://wakeup");
            push.send("x");
            wakeup.wake();

            assertThat(wakeup.awaitReadable(LONG)).isTrue();
        }
    }

    /** A wake that meets the end of a wait is neither lost nor does it end all later waits. */
    @Test
    void waitsAgainAfterAWakeAtAnyMoment() throws Exception {
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            for (int round = 0; round < 500; round++) {
                Future<?> waker = thread.submit(wakeup::wake);
                while (!waker.isDone()) {
                    wakeup.awaitReadable(0);
                }
                wakeup.awaitReadable(0);

                assertThat(waited(3)).as("ms waited in round %d", round).isGreaterThanOrEqualTo(2);
            }
        }
    }

    @Test
    void losesNoWake() throws Exception {
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            for (int round = 0; round < 2000; round++) {
                Future<?> waker = thread.submit(wakeup::wake);

                boolean readable = wakeup.awaitReadable(-1);

                assertThat(readable).isFalse();
                waker.get();
            }
        }
    }

    private long waited(long millis) {
        long start = System.nanoTime();
        wakeup.awaitReadable(millis);
        return (System.nanoTime() - start) / 1_000_000;
    }
}
