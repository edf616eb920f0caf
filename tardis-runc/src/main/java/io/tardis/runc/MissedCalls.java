package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.registry.LifeListener;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.runc.MissedNotes.Note;
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
record MissedCalls(
        ContainerRegistry registry, RuncShim shim, LifeListener listener, InstantSource clock) {

    private static final Logger LOG = LoggerFactory.getLogger(MissedCalls.class);

    /**
     * A launcher that has given up waits no longer than this for a daemon that works all the same.
     */
    private static final Duration LONGEST_CALL = Duration.ofSeconds(30);

    /** The kernel's start times have steps of 10 ms, and so has its uptime. */
    private static final Duration STEP = Duration.ofMillis(50);

    /**
     * Makes up for one call. Doing it a second time does no harm.
     *
     * @param notes what was missed of its container, oldest first
     * @param index which of them it is
     * @param mayWait whether a delete may be put off as long as the end of its life is not known,
     *     which may be on its way
     * @return false if it was put off
     * @throws IOException if the registry, or a file of the bundle, cannot be used now
     */
    boolean replay(List<Note> notes, int index, boolean mayWait) throws IOException {
        List<Note> before = notes.subList(0, index).reversed();
        List<Note> after = notes.subList(index + 1, notes.size());
        Instant at = notes.get(index).at();
        RuncCall call = notes.get(index).call();
        if (shim.isOfAnotherRoot(call)) {
            return true;
        }
        switch (call) {
            case RuncCall.Create create -> create(create, at, after);
            case RuncCall.Start start -> start(start, at, comesNext(RuncCall.Delete.class, after));
            case RuncCall.Delete delete -> {
                return delete(delete, at, before, mayWait);
            }
        }
        return true;
    }

    /** Whether there is such a call before the next one that creates. */
    private static boolean comesNext(Class<? extends RuncCall> kind, List<Note> notes) {
        return notes.stream()
                .map(Note::call)
                .takeWhile(it -> !(it instanceof RuncCall.Create))
                .anyMatch(kind::isInstance);
    }

    /** When the life that was created before these calls was over at the latest. */
    private static Instant endOf(List<Note> after) {
        return after.stream()
                .filter(it -> !(it.call() instanceof RuncCall.Start))
                .map(Note::at)
                .findFirst()
                .orElse(Instant.MAX);
    }

    private void create(RuncCall.Create create, Instant at, List<Note> after) throws IOException {
        ContainerKey container = create.container();
        Path bundle = create.bundle();
        Optional<Life> open = registry.open(container);
        if (isDone(open, bundle, at) || open.filter(RuncShim::isRunning).isPresent()) {
            return; // what ran then and still runs was not created: the runtime refused it
        }
        // A life that was started and deleted leaves no bundle of its own: what is there is a later
        // one's. The launcher took it for enabled.
        boolean startFollows = comesNext(RuncCall.Start.class, after);
        boolean enabled =
                (startFollows && comesNext(RuncCall.Delete.class, after))
                        || isEnabled(container, bundle, startFollows);
        shim.closeUnseen(open);
        if (enabled) {
            Life life = listener.keep(container, bundle, at, endOf(after)).withRoot(create.root());
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
        if (open.filter(it -> it.bundle().equals(bundle)).isEmpty()) {
            return false;
        }
        Duration between = Duration.between(open.get().createdAt(), at).abs();
        return between.isZero()
                || (open.get().init().isEmpty() && between.compareTo(LONGEST_CALL) <= 0);
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

    private void start(RuncCall.Start start, Instant at, boolean deleteFollows) throws IOException {
        Optional<Life> open = openAt(start, at);
        if (open.isEmpty()) {
            return;
        }
        Life life = open.get();
        // Where it is known, the listener had it from others, or the disk did not take it.
        Optional<InitProcess> init = life.init();
        if (init.isEmpty()) {
            OptionalLong pid = Bundle.initPid(life.bundle(), start.state());
            init =
                    pid.stream()
                            .mapToObj(InitProcess::of)
                            .filter(it -> wasStartedBetween(it, life.createdAt(), at))
                            .findFirst();
            if (init.isEmpty() && pid.isPresent() && !deleteFollows) {
                // The bundle is this life's own, and so is the pid; its process has gone.
                init = Optional.of(new InitProcess(pid.getAsLong(), OptionalLong.empty()));
            }
        }
        // The listener also finds out that there is nothing to watch.
        shim.noteInit(init.map(life::withInit).orElse(life));
        LOG.info("{} was started at {}, unseen", start.container(), at);
    }

    private boolean wasStartedBetween(InitProcess process, Instant from, Instant to) {
        Optional<Instant> start = process.startedAt(clock);
        return start.isPresent()
                && !start.get().isBefore(from.minus(STEP))
                && !start.get().isAfter(to.plus(STEP));
    }

    private boolean delete(RuncCall.Delete delete, Instant at, List<Note> before, boolean mayWait)
            throws IOException {
        Optional<Life> open = openAt(delete, at);
        if (open.isEmpty()) {
            return true;
        }
        Life life = open.get();
        if (!delete.force() && RuncShim.isRunning(life)) {
            return true; // the runtime refused it
        }
        Answer.OfContainer answer = shim.ask(life, Duration.ZERO);
        boolean known = answer instanceof Exited;
        // Where nobody could read the bundle it may not even be enabled: then all is kept.
        boolean createSeen = before.stream().noneMatch(it -> it.call() instanceof RuncCall.Create);
        if (createSeen && life.init().isPresent() && RuncShim.isCleanEnd(answer, life)) {
            shim.cleanUp(life);
            return true;
        }
        boolean ran =
                comesNext(RuncCall.Start.class, before)
                        || Bundle.initPid(life.bundle()).isPresent();
        if (ran && !known && mayWait) {
            return false;
        }
        if (life.init().isEmpty() && ran && !known) {
            listener.lost(life);
        }
        shim.closeDeleted(life, delete.force(), answer);
        LOG.info("{} was deleted at {}, unseen; what is kept for it stays", delete.container(), at);
        return true;
    }

    /** The open life, unless it began later: then the call was an earlier life's. */
    private Optional<Life> openAt(RuncCall call, Instant at) {
        return registry.open(call.container()).filter(it -> !it.createdAt().isAfter(at));
    }
}
