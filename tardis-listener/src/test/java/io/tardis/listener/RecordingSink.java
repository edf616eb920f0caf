package io.tardis.listener;

import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Keeps what a supervisor tells, in order. */
final class RecordingSink implements CtrSupervisor.Sink {

    /** What {@link #gap} was told. */
    record Gap(Instant from, String reason) {}

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** {@link CtrEvent}s and {@link Gap}s. */
    private final List<Object> told = new CopyOnWriteArrayList<>();

    @Override
    public void event(CtrEvent event) {
        told.add(event);
    }

    @Override
    public void gap(Instant from, String reason) {
        told.add(new Gap(from, reason));
    }

    List<Object> told() {
        return List.copyOf(told);
    }

    List<Gap> gaps() {
        return all(Gap.class);
    }

    List<CtrEvent.ContainerExit> exits() {
        return all(CtrEvent.ContainerExit.class);
    }

    List<Gap> awaitGaps(int count) {
        await().atMost(PATIENCE).until(() -> gaps().size() >= count);
        return gaps();
    }

    List<CtrEvent.ContainerExit> awaitExits(int count) {
        await().atMost(PATIENCE).until(() -> exits().size() >= count);
        return exits();
    }

    private <T> List<T> all(Class<T> type) {
        return told.stream().filter(type::isInstance).map(type::cast).toList();
    }
}
