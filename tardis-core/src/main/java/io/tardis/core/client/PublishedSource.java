package io.tardis.core.client;

import io.tardis.core.wire.MalformedMessageException;
import io.tardis.core.wire.Published;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Where an {@link ExitSubscriber} receives what is published. It may drop messages. */
public interface PublishedSource extends AutoCloseable {

    /**
     * The next message; null when the time is over.
     *
     * @param timeout the longest wait
     * @throws MalformedMessageException if a message cannot be understood
     */
    @Nullable Published receive(Duration timeout);

    @Override
    void close();
}
