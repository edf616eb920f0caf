package io.tardis.listener;

import static org.assertj.core.api.Assertions.fail;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqSubscriber;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A subscriber that waits for the messages that a test names, with a deadline. */
final class Listening implements AutoCloseable {

    /** Both frames, as they came. */
    @SuppressWarnings("ArrayRecordComponent") // looked at once
    record Received(String topic, byte[] payload) {
        Published published() {
            return PublishedCodec.decode(topic, payload);
        }

        ExitEvent event() {
            return PublishedCodec.decodeExit(payload);
        }
    }

    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final ZmqSubscriber subscriber;

    Listening(ZmqContext context, String endpoint, String prefix) {
        subscriber = context.subscriber(endpoint, List.of(prefix));
    }

    /** The next message, whatever it is. */
    Received next() {
        return next("");
    }

    /** The next message of these topics; others are passed over. */
    Received next(String... prefixes) {
        List<String> passed = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (deadline - System.nanoTime() > 0) {
            ZmqSubscriber.Message message = subscriber.receive(Duration.ofMillis(100));
            if (message != null) {
                for (String prefix : prefixes) {
                    if (message.topic().startsWith(prefix)) {
                        return new Received(message.topic(), message.payload());
                    }
                }
                passed.add(message.topic());
            }
        }
        return fail("nothing on %s, only %s", List.of(prefixes), passed);
    }

    /** The next exit of a container or an exec. */
    Received nextExit() {
        return next("/tasks/");
    }

    @Override
    public void close() {
        subscriber.close();
    }
}
