package io.tardis.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class ThreadsTest {

    private static final Duration LONG = Duration.ofSeconds(20);

    private final CountDownLatch end = new CountDownLatch(1);
    private final Thread thread = new Thread(this::awaitEnd, "under test");

    private void awaitEnd() {
        try {
            end.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void waitsForTheEnd() {
        thread.start();
        end.countDown();

        assertThat(Threads.awaitEnd(thread, LONG)).isTrue();
        assertThat(thread.isAlive()).isFalse();
    }

    @Test
    void waitsNotForAThreadThatNeverBegan() {
        assertThat(Threads.awaitEnd(thread, LONG)).isTrue();
    }

    @Test
    void losesItsPatience() {
        thread.start();

        assertThat(Threads.awaitEnd(thread, Duration.ofMillis(1))).isFalse();

        end.countDown();
    }

    @Test
    void leavesTheCallerInterrupted() {
        thread.start();
        Thread.currentThread().interrupt();

        assertThat(Threads.awaitEnd(thread, LONG)).isFalse();

        assertThat(Thread.interrupted()).isTrue();
        end.countDown();
    }
}
