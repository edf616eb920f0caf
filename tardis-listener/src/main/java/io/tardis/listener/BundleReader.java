package io.tardis.listener;

import io.tardis.core.event.About;
import io.tardis.core.spec.AboutReader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads who containers are, in a thread of its own: a file may be on a disk that hangs, and exits
 * do not wait for that. {@link #about} is for one thread.
 */
final class BundleReader implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(BundleReader.class);
    private static final Duration PATIENCE = Duration.ofMillis(200);

    private final BiFunction<Path, String, About> reader;
    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(
                    Thread.ofPlatform().daemon().name("tardis-listener-bundles").factory());
    private @Nullable Future<About> last;

    BundleReader() {
        this(AboutReader::read);
    }

    BundleReader(BiFunction<Path, String, About> reader) {
        this.reader = reader;
    }

    /**
     * Nothing where the file does not answer in time, or an earlier one has not answered yet.
     *
     * @param image as for {@link AboutReader#read}
     */
    About about(Path bundle, String image) {
        Future<About> before = last;
        if (bundle.toString().isEmpty() || (before != null && !before.isDone())) {
            return About.NOTHING;
        }
        Future<About> reading = thread.submit(() -> reader.apply(bundle, image));
        last = reading;
        try {
            return reading.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            LOG.warn(
                    "{} does not answer: who its container is, and those of later ones, is not known until it does",
                    bundle);
        } catch (ExecutionException e) {
            LOG.error("who the container in {} is cannot be read", bundle, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return About.NOTHING;
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
