package io.tardis.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.testkit.CapturedLog;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.event.Level;

@Timeout(30)
class WorkerTest {

    private static final Duration LONG = Duration.ofSeconds(20);

    private final AtomicInteger rounds = new AtomicInteger();
    private final Worker worker = new Worker("under test", this::count);

    private void count() throws InterruptedException {
        while (!worker.isStopping()) {
            rounds.incrementAndGet();
            worker.await();
        }
    }

    @AfterEach
    void close() {
        worker.close();
    }

    @Test
    void worksWhenItIsWokenUntilItIsClosed() {
        worker.start();
        await().until(() -> rounds.get() == 1);
        worker.wake();
        await().until(() -> rounds.get() == 2);

        worker.close();
        worker.close();

        assertThat(worker.isAlive()).isFalse();
        assertThat(worker.wasStarted()).isTrue();
        assertThat(rounds).hasValue(2);
    }

    @Test
    void endsAtOnceIfItWasClosedBeforeItsStart() {
        worker.close();
        assertThat(worker.wasStarted()).isFalse();

        worker.start();

        await().until(() -> !worker.isAlive());
        assertThat(rounds).hasValue(0);
    }

    @Test
    void waitsForTheEndAlsoIfTheCallerIsInterrupted() {
        worker.start();
        Thread.currentThread().interrupt();

        worker.close();

        assertThat(Thread.interrupted()).isTrue();
        assertThat(worker.isAlive()).isFalse();
    }

    @Test
    void canBeClosedByItsOwnWork() {
        AtomicReference<Worker> self = new AtomicReference<>();
        self.set(new Worker("under test", () -> self.get().close(LONG)));
        self.get().start();

        await().atMost(Duration.ofSeconds(5)).until(() -> !self.get().isAlive());
    }

    @Test
    void waitsForAWakeForATimeAtMost() throws InterruptedException {
        assertThat(worker.await(Duration.ofMillis(1))).isFalse();
        worker.wake();
        worker.wake();
        assertThat(worker.await(LONG)).isTrue();
        assertThat(worker.await(Duration.ZERO)).as("both wakes are one").isFalse();
    }

    @Test
    void wakesWhateverElseTheWorkWaitsFor() {
        CountDownLatch woken = new CountDownLatch(1);
        Worker other = new Worker("under test", woken::await, woken::countDown);
        other.start();

        other.close();

        assertThat(other.isAlive()).isFalse();
    }

    @Test
    void logsAThreadThatDoesNotStop() {
        CountDownLatch end = new CountDownLatch(1);
        try (CapturedLog log = new CapturedLog(Worker.class);
                Worker stuck = new Worker("stuck", end::await)) {
            stuck.start();

            stuck.close(Duration.ofMillis(1));

            assertThat(stuck.isAlive()).isTrue();
            assertThat(log.at(Level.ERROR)).containsExactly("the thread stuck did not stop");
            end.countDown();
        }
    }

    @Test
    void reportsWhatTheWorkThrows() {
        AtomicReference<Throwable> death = new AtomicReference<>();
        IllegalStateException cause = new IllegalStateException("it died");
        try (Worker dying =
                new Worker(
                        "under test",
                        () -> {
                            throw cause;
                        })) {
            dying.onDeath(death::set);
            dying.start();
            await().untilAsserted(() -> assertThat(death).hasValue(cause));
        }
    }
}
