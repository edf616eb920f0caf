package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.registry.LifeListener;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes up for calls that the launcher could not bring to the daemon: the runtime has carried them
 * out since, so the bundle may have gone, and what is there may be a later life's.
 *
 * <p>A life whose end nobody witnessed is lost. It is never given the process, and so the code, of
 * another one: a pid counts only if its process lives, and was started between this life's create
 * and start.
 */
final class MissedCalls {

    /**
     * A call that was missed.
     *
     * @param at when the launcher gave up, before it became the runtime
     * @param command what was called
     */
    record Call(Instant at, RuncCall command) {}

    private static final Logger LOG = LoggerFactory.getLogger(MissedCalls.class);

    /**
     * A launcher that has given up waits no longer than this for a daemon that works all the same.
     */
    private static final Duration LONGEST_CALL = Duration.ofSeconds(30);

    /** The kernel's start times have steps of 10 ms, and so has its uptime. */
    private static final Duration STEP = Duration.ofMillis(50);

    private final ContainerRegistry registry;
    private final RuncShim shim;
    private final LifeListener listener;
    private final InstantSource clock;

    MissedCalls(
            ContainerRegistry registry, RuncShim shim, LifeListener listener, InstantSource clock) {
        this.registry = registry;
        this.shim = shim;
        this.listener = listener;
        this.clock = clock;
    }

    /**
     * Makes up for one call. Doing it a second time does no harm.
     *
     * @param before what was missed before it, oldest first
     * @param after what was missed after it, oldest first
     * @param mayWait whether a delete may be put off as long as the end of its life is not known,
     *     which may be on its way
     * @return false if it was put off
     * @throws IOException if the registry, or a file of the bundle, cannot be used now
     */
    boolean replay(
            ContainerKey container, List<Call> before, Call call, List<Call> after, boolean mayWait)
            throws IOException {
        boolean startFollows = comesNext(RuncCall.Start.class, after);
        boolean deleteFollows = comesNext(RuncCall.Delete.class, after);
        if (shim.isOfAnotherRoot(call.command())) {
            return true;
        }
        switch (call.command()) {
            case RuncCall.Create create ->
                    create(create, call.at(), endOf(after), startFollows, deleteFollows);
            case RuncCall.Start start -> start(container, start.state(), call.at(), deleteFollows);
            case RuncCall.Delete delete -> {
                boolean started = comesNext(RuncCall.Start.class, before.reversed());
                boolean seen =
                        before.stream().noneMatch(it -> it.command() instanceof RuncCall.Create);
                return delete(container, delete.force(), call.at(), started, seen, mayWait);
            }
        }
        return true;
    }

    /** Whether there is such a call before the next one that creates. */
    private static boolean comesNext(Class<? extends RuncCall> kind, List<Call> calls) {
        return calls.stream()
                .map(Call::command)
                .takeWhile(it -> !(it instanceof RuncCall.Create))
                .anyMatch(kind::isInstance);
    }

    /** When the life that was created before these calls was over at the latest. */
    private static Instant endOf(List<Call> after) {
        return after.stream()
                .filter(it -> !(it.command() instanceof RuncCall.Start))
                .map(Call::at)
                .findFirst()
                .orElse(Instant.MAX);
    }

    private void create(
            RuncCall.Create create,
            Instant at,
            Instant until,
            boolean startFollows,
            boolean deleteFollows)
            throws IOException {
        ContainerKey container = create.container();
        Path bundle = create.bundle();
        Optional<Life> open = registry.open(container);
        if (isDone(open, bundle, at) || open.filter(RuncShim::isRunning).isPresent()) {
            return; // what ran then and still runs was not created: the runtime refused it
        }
        // A life that was started and deleted leaves no bundle of its own: what is there is a later
        // one's. The launcher took it for enabled.
        boolean enabled =
                (startFollows && deleteFollows) || isEnabled(container, bundle, startFollows);
        if (open.isPresent()) {
            shim.close(open.get());
        }
        if (enabled) {
            Life life = listener.keep(container, bundle, at, until).withRoot(create.root());
            registry.register(life);
            listener.begun(life, true);
            LOG.warn("{} was created at {}, unseen (life {})", container, at, life.id());
        }
    }

    /**
     * Whether the daemon has done this create before: all the same, after the launcher had given
     * up, or by this note.
     */
    private static boolean isDone(Optional<Life> open, Path bundle, Instant at) {
        return open.filter(it -> it.bundle().equals(bundle))
                .filter(it ->
                        it.createdAt().equals(at)
                                || (it.init().isEmpty()
                                        && Duration.between(it.createdAt(), at)
                                                        .abs()
                                                        .compareTo(LONGEST_CALL)
                                                <= 0))
                .isPresent();
    }

    private static boolean isEnabled(ContainerKey container, Path bundle, boolean startFollows)
            throws IOException {
        try {
            return Bundle.isTardisEnabled(bundle);
        } catch (NoSuchFileException e) {
            LOG.debug("the bundle of {} has gone", container, e);
            return startFollows; // else the create failed, and there was no life
        } catch (FileSystemException e) {
            throw e; // it cannot be opened now, for want of descriptors for instance
        } catch (IOException e) {
            LOG.warn("the create of {} is passed over: {}", container, e.getMessage());
            return false;
        }
    }

    private void start(ContainerKey container, Path state, Instant at, boolean deleteFollows)
            throws IOException {
        Optional<Life> open = openAt(container, at);
        if (open.isEmpty()) {
            return;
        }
        Life life = open.get();
        if (life.init().isPresent()) {
            // The listener had it from others, or the disk did not take it when the start came.
            shim.noteInit(life);
            return;
        }
        OptionalLong pid = Bundle.initPid(life.bundle(), state);
        Optional<InitProcess> init =
                pid.stream()
                        .mapToObj(InitProcess::of)
                        .filter(it -> wasStartedBetween(it, life.createdAt(), at))
                        .findFirst();
        if (init.isEmpty() && !deleteFollows) {
            // The bundle is this life's own, and so is the pid; its process has gone.
            init =
                    pid.stream()
                            .mapToObj(it -> new InitProcess(it, OptionalLong.empty()))
                            .findFirst();
        }
        Life started = init.map(life::withInit).orElse(life);
        boolean stillOpen = init.isEmpty() || registry.update(started);
        if (stillOpen) {
            listener.started(started); // which also finds out that there is nothing to watch
        }
        LOG.info("{} was started at {}, unseen", container, at);
    }

    private boolean wasStartedBetween(InitProcess process, Instant from, Instant to) {
        Optional<Instant> start = process.startedAt(clock);
        return start.isPresent()
                && !start.get().isBefore(from.minus(STEP))
                && !start.get().isAfter(to.plus(STEP));
    }

    private boolean delete(
            ContainerKey container,
            boolean force,
            Instant at,
            boolean started,
            boolean createSeen,
            boolean mayWait)
            throws IOException {
        Optional<Life> open = openAt(container, at);
        if (open.isEmpty()) {
            return true;
        }
        Life life = open.get();
        if (!force && RuncShim.isRunning(life)) {
            return true; // the runtime refused it
        }
        Answer.OfContainer answer = shim.ask(life, Duration.ZERO);
        boolean known = answer instanceof Exited;
        // Where nobody could read the bundle it may not even be enabled: then all is kept.
        if (createSeen && life.init().isPresent() && RuncShim.isCleanEnd(answer, life)) {
            shim.cleanUp(life);
            return true;
        }
        boolean ran = started || Bundle.initPid(life.bundle()).isPresent();
        if (ran && !known && mayWait) {
            return false;
        }
        if (life.init().isEmpty() && ran && !known) {
            listener.lost(life);
        }
        shim.close(life.init().isPresent() && force && !known ? life.withForceDeleted() : life);
        LOG.info("{} was deleted at {}, unseen; what is kept for it stays", container, at);
        return true;
    }

    /** The open life, unless it began later: then the call was an earlier life's. */
    private Optional<Life> openAt(ContainerKey container, Instant at) {
        return registry.open(container).filter(it -> !it.createdAt().isAfter(at));
    }
}
