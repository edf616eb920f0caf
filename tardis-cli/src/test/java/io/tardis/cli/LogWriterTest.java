package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class LogWriterTest {

    private static final int MANY = 5_000;
    private static final byte[] LINE = bytes("1234567890".repeat(100) + "\n");

    private final List<String> written = Collections.synchronizedList(new ArrayList<>());
    private final Semaphore reader = new Semaphore(0);
    private final AtomicBoolean full = new AtomicBoolean();
    private final LogWriter writer =
            new LogWriter("the output", this::write, it -> bytes(it + " dropped\n"));

    @AfterEach
    void letItEnd() {
        reader.release(MANY);
    }

    @Test
    void dropsAndCountsWhatABlockedOutputDoesNotTake() {
        start();
        for (int i = 0; i < MANY; i++) {
            writer.offer(LINE);
        }

        reader.release(MANY);

        await().until(() -> text().contains(" dropped\n"));
        String text = text();
        long taken = text.lines().filter(it -> it.length() > 500).count();
        assertThat(taken * LINE.length).isBetween(900_000L, 1_200_000L);
        assertThat(text).endsWith("0\n" + (MANY - taken) + " dropped\n");
    }

    @Test
    void saysWhatWasDroppedBeforeTheNextLine() {
        for (int i = 0; i < MANY; i++) {
            writer.offer(LINE);
        }
        reader.release(MANY);
        start();
        await().until(() -> text().contains(" dropped\n"));

        writer.offer(bytes("next\n"));
        writer.flush(Duration.ofSeconds(10));

        assertThat(text()).endsWith(" dropped\nnext\n");
    }

    @Test
    void waitsABoundedTimeForABlockedOutput() {
        start();
        writer.offer(LINE);
        long begin = System.nanoTime();

        writer.flush(Duration.ofMillis(100));

        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isBetween(Duration.ofMillis(100), Duration.ofSeconds(5));
    }

    /** A disk that is full for a while. */
    @Test
    void writesLaterWhatCouldNotBeWritten() {
        reader.release(MANY);
        start();
        full.set(true);
        writer.offer(bytes("first\n"));
        await().until(() -> reader.availablePermits() < MANY - 1);
        writer.offer(bytes("second\n"));
        assertThat(text()).isEmpty();

        full.set(false);

        await().until(() -> text().equals("first\nsecond\n"));
    }

    private void start() {
        var _ = writer.start("writer");
    }

    private void write(byte[] lines) throws IOException {
        reader.acquireUninterruptibly();
        if (full.get()) {
            throw new IOException("No space left on device");
        }
        written.add(new String(lines, StandardCharsets.UTF_8));
    }

    private String text() {
        synchronized (written) {
            return String.join("", written);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
