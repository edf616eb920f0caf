package io.tardis.listener;

import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Takes what a source reports, in order. */
final class RecordingInbox {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Inbox inbox = new Inbox();

    /** {@link CtrEvent}s and {@link Inbox.Signal.Missed}. */
    private final List<Object> received = new ArrayList<>();

    Inbox inbox() {
        return inbox;
    }

    synchronized List<Object> received() {
        try {
            for (Inbox.Signal it = inbox.poll(0); it != null; it = inbox.poll(0)) {
                received.add(it instanceof Inbox.Signal.Read(CtrEvent event) ? event : it);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return List.copyOf(received);
    }

    List<Inbox.Signal.Missed> gaps() {
        return all(Inbox.Signal.Missed.class);
    }

    List<CtrEvent.Exit> exits() {
        return all(CtrEvent.Exit.class);
    }

    List<Inbox.Signal.Missed> awaitGaps(int count) {
        await().atMost(PATIENCE).until(() -> gaps().size() >= count);
        return gaps();
    }

    List<CtrEvent.Exit> awaitExits(int count) {
        await().atMost(PATIENCE).until(() -> exits().size() >= count);
        return exits();
    }

    private <T> List<T> all(Class<T> type) {
        return received().stream().filter(type::isInstance).map(type::cast).toList();
    }
}
