package io.tardis.store;

import io.tardis.core.Threads;
import io.tardis.core.UnavailableException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Containers;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.wire.Query;
import io.tardis.core.zmq.ZmqReplier;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * Lists containers in a thread of its own, with a connection to the log of its own: a list reads
 * every directory that was ever kept, and nobody else's question is to wait for that. Lists that
 * are asked for meanwhile wait, {@value #MAX_WAITING} at the most.
 */
final class ListMaker implements AutoCloseable {

    static final int MAX_WAITING = 16;

    private static final Duration STOP_PATIENCE = Duration.ofSeconds(1);

    /**
     * A list, or why there is none.
     *
     * @param request who asked for it
     * @param answer the list, or that it is refused; null if there is a failure
     * @param failure why they cannot be read; null if there is an answer
     */
    record Made(
            ZmqReplier.Request request,
            @Nullable Answer answer,
            @Nullable RuntimeException failure) {}

    private record Asked(ZmqReplier.Request request, Query.ListContainers query) {}

    /** Ends the thread where it waits for the next question. */
    private static final Optional<Asked> END = Optional.empty();

    private final ExitLog.Reader log;
    private final ContainerRegistry registry;
    private final LifeStates lives;
    private final EndCache ends;
    private final BlockingQueue<Optional<Asked>> asked = new LinkedBlockingQueue<>(MAX_WAITING);
    private final Queue<Made> made = new ConcurrentLinkedQueue<>();
    private final Runnable onMade;
    private final Thread thread;
    private volatile boolean stopping;

    /**
     * From now on the log belongs to this one's thread.
     *
     * @param onMade told that {@link #poll} has something; from that thread
     */
    ListMaker(
            ExitLog.Reader log,
            ContainerRegistry registry,
            LifeStates lives,
            EndCache ends,
            Runnable onMade) {
        this.log = log;
        this.registry = registry;
        this.lives = lives;
        this.ends = ends;
        this.onMade = onMade;
        this.thread = new Thread(this::run, "tardis-store-lists");
    }

    void start() {
        thread.start();
    }

    /** Takes the question, if there are not too many. */
    boolean ask(ZmqReplier.Request request, Query.ListContainers query) {
        return asked.offer(Optional.of(new Asked(request, query)));
    }

    /** The next list that is made; null if there is none. */
    @Nullable Made poll() {
        return made.poll();
    }

    /** Ends after the list that is being made, and refuses those that were asked for after it. */
    @Override
    public void close() {
        if (thread.getState() == Thread.State.NEW) {
            log.close();
            return;
        }
        stopping = true;
        asked.offer(END); // if there is no place for it, there is no wait to be ended
        boolean _ = Threads.awaitEnd(thread, STOP_PATIENCE);
    }

    private void run() {
        try (log) {
            while (!stopping) {
                asked.take().ifPresent(this::make);
            }
            asked.forEach(it -> it.ifPresent(this::make));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void make(Asked next) {
        Made result;
        try {
            Answer answer =
                    stopping
                            ? new Refused(Refused.UNAVAILABLE, "the daemon ends")
                            : list(next.query());
            result = new Made(next.request(), answer, null);
        } catch (UnavailableException | UncheckedIOException e) {
            result = new Made(next.request(), null, e);
        }
        made.add(result);
        onMade.run();
    }

    /** Who runs comes first, then whose end nobody observed, then the newest end. */
    private static final Comparator<OfContainer> ORDER =
            Comparator.comparing((OfContainer it) ->
                            switch (it) {
                                case Answer.Running _ -> Instant.MAX;
                                case Answer.Lost _, Answer.Unknown _ -> Instant.MAX.minusNanos(1);
                                case Answer.Exited exited -> exited.event().exit().exitedAt();
                            })
                    .reversed();

    /** As {@link #ORDER} says: a life of a month that ends now comes before one of a second ago. */
    private Containers list(Query.ListContainers query) {
        Optional<String> namespace = query.namespace();
        Map<ContainerKey, OfContainer> containers = new LinkedHashMap<>();
        for (Life life : registry.openLives()) {
            if (namespace.isEmpty() || namespace.get().equals(life.container().namespace())) {
                containers.put(life.container(), stateOf(life.container()));
            }
        }
        List<End> known = new ArrayList<>(ends.notRecorded());
        // An end that is kept because its life is still registered counts as recorded anew, and
        // must not take the place of another one.
        known.addAll(log.latestEnds(namespace, query.limit() + containers.size()));
        for (End end : known) {
            if (namespace.isEmpty() || namespace.get().equals(end.container().namespace())) {
                containers.computeIfAbsent(end.container(), this::stateOf);
            }
        }
        return new Containers(
                containers.values().stream().sorted(ORDER).limit(query.limit()).toList());
    }

    private OfContainer stateOf(ContainerKey container) {
        return lives.stateOf(container, it -> ends.latest(it, log));
    }
}
