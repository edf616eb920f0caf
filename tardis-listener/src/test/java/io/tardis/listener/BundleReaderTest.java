package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.About;
import io.tardis.testkit.CapturedLog;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.event.Level;

@Timeout(60)
class BundleReaderTest {

    private static final Path BUNDLE = Path.of("/bundle");
    private static final About ABOUT =
            new About(
                    Optional.of("sh"),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    false);

    @Test
    void readsABundle() {
        try (BundleReader reader = new BundleReader((_, _) -> ABOUT)) {
            assertThat(reader.about(BUNDLE, "")).isEqualTo(ABOUT);
            assertThat(reader.about(BUNDLE, "")).isEqualTo(ABOUT);
            assertThat(reader.about(Path.of(""), "")).isEqualTo(About.NOTHING);
        }
    }

    @Test
    void doesNotWaitForADiskThatHangs() {
        CountDownLatch answers = new CountDownLatch(1);
        AtomicInteger reads = new AtomicInteger();
        try (BundleReader reader =
                        new BundleReader((_, _) -> {
                            reads.incrementAndGet();
                            pass(answers);
                            return ABOUT;
                        });
                CapturedLog log = new CapturedLog(BundleReader.class)) {
            assertThat(reader.about(BUNDLE, "")).isEqualTo(About.NOTHING);
            assertThat(reader.about(BUNDLE, "")).isEqualTo(About.NOTHING);
            assertThat(reads).hasValue(1);
            assertThat(log.at(Level.WARN)).hasSize(1);

            answers.countDown();
            await().until(() -> reader.about(BUNDLE, "").equals(ABOUT));
        }
    }

    @Test
    void outlivesAFailure() {
        AtomicInteger reads = new AtomicInteger();
        try (BundleReader reader =
                        new BundleReader((_, _) -> {
                            if (reads.incrementAndGet() == 1) {
                                throw new IllegalStateException("nobody has thought of this");
                            }
                            return ABOUT;
                        });
                CapturedLog log = new CapturedLog(BundleReader.class)) {
            assertThat(reader.about(BUNDLE, "")).isEqualTo(About.NOTHING);
            assertThat(log.at(Level.ERROR)).hasSize(1);
            assertThat(reader.about(BUNDLE, "")).isEqualTo(ABOUT);
        }
    }

    private static void pass(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
