package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.registry.LifeListener;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What Tardis does before the real runtime runs: registers a life at {@code create}, notes its pid
 * at {@code start}, decides at {@code delete}.
 *
 * <p>It is a guest. Whatever fails here is logged and costs a record; the runtime runs in any case.
 * Calls for different containers may come from any thread.
 */
public final class RuncShim {

    private static final Logger LOG = LoggerFactory.getLogger(RuncShim.class);

    /**
     * An end that the kernel reported is on disk within some milliseconds, or, for a death by
     * SIGKILL, when containerd had its time to say why. That is no wait for a code: it is there.
     */
    private static final Duration RECORDING = Duration.ofSeconds(1);

    /** What bytes that are no UTF-8 were replaced by. */
    private static final char NOT_UTF_8 = '\ufffd';

    private final ContainerRegistry registry;
    private final Path checkpointDir;
    private final Runnable onRemoval;
    private final ExitCodes exitCodes;
    private final LifeListener listener;
    private final Duration deleteWait;
    private final InstantSource clock;
    private final Patience patience = new Patience();

    /**
     * A shim.
     *
     * @param registry where lives are registered
     * @param checkpointDir holds the checkpoints of containers, {@code NS/ID/}
     * @param onRemoval run when something was taken out of its place and is to be removed
     * @param exitCodes asked at {@code delete}
     * @param listener receives each step of a life
     * @param deleteWait the longest wait for a code at {@code delete}; an end that is known is
     *     waited for in any case until it is recorded
     * @param clock the wall clock
     */
    public RuncShim(
            ContainerRegistry registry,
            Path checkpointDir,
            Runnable onRemoval,
            ExitCodes exitCodes,
            LifeListener listener,
            Duration deleteWait,
            InstantSource clock) {
        this.registry = registry;
        this.checkpointDir = checkpointDir;
        this.onRemoval = onRemoval;
        this.exitCodes = exitCodes;
        this.listener = listener;
        this.deleteWait = deleteWait;
        this.clock = clock;
    }

    /**
     * Does what is to be done before the runtime gets {@code call}; returns when the runtime may
     * run.
     *
     * @return false if it could not be done now, which is logged
     */
    public boolean before(RuncCall call) {
        try {
            if (isOfAnotherRoot(call)) {
                return true;
            }
            switch (call) {
                case RuncCall.Create create -> {
                    return create(create.container(), create.root(), create.bundle());
                }
                case RuncCall.Start start -> start(start.container(), start.state());
                case RuncCall.Delete delete -> delete(delete.container(), delete.force());
            }
            return true;
        } catch (IOException | RuntimeException e) {
            LOG.error("{} cannot be attended to", call, e);
            return false;
        }
    }

    /** Whether it is about another container than the one that is registered under its name. */
    boolean isOfAnotherRoot(RuncCall call) {
        Optional<Life> other =
                registry.open(call.container()).filter(it -> !it.isBelow(call.root()));
        if (other.isEmpty()) {
            return false;
        }
        boolean isCreate = call instanceof RuncCall.Create;
        // The runtime has a directory for each container that it has not deleted.
        boolean isThere =
                isRunning(other.get())
                        || Files.exists(other.get().root().resolve(call.container().id()));
        if (isCreate && isThere) {
            LOG.warn(
                    "{} below {} will not be recorded: the one below {} is there",
                    call.container(),
                    call.root(),
                    other.get().root());
        }
        return !isCreate || isThere;
    }

    /** The longest time that {@link #before} waits for something. */
    public Duration longestWait() {
        return deleteWait.compareTo(RECORDING) > 0 ? deleteWait : RECORDING;
    }

    /** What makes up for the calls that this shim did not see. */
    MissedCalls missedCalls() {
        return new MissedCalls(registry, this, listener, clock);
    }

    /**
     * A container whose process runs cannot be created: the runtime refuses that, and its life goes
     * on. If the runtime does create it, the start that follows has another process.
     */
    private boolean create(ContainerKey container, Path root, Path bundle) throws IOException {
        Optional<Life> before = registry.open(container);
        if (before.isPresent() && isRunning(before.get())) {
            LOG.warn(
                    "{} is to be created while process {} of it runs",
                    container,
                    before.get().init().orElseThrow().pid());
            return true;
        }
        boolean enabled = false;
        boolean isDone = true;
        try {
            enabled = Bundle.isTardisEnabled(bundle);
        } catch (IOException | RuntimeException e) {
            // What cannot be opened now may be later, for want of descriptors for instance.
            isDone = e instanceof NoSuchFileException || !(e instanceof FileSystemException);
            LOG.warn(
                    "the create of {} is passed over, and its end will not be recorded: {}{}",
                    container,
                    e,
                    bundle.toString().indexOf(NOT_UTF_8) < 0
                            ? ""
                            : " (a path that is not UTF-8 cannot be used)");
        }
        closeUnseen(before);
        return enabled
                ? register(
                        Life.of(UUID.randomUUID().toString(), container, clock.instant(), bundle)
                                .withRoot(root))
                : isDone;
    }

    /** Returns false if the life is in memory only: a note makes up for that later. */
    private boolean register(Life life) {
        try {
            registry.register(life);
            listener.begun(life, true);
            LOG.info("{} is created (life {})", life.container(), life.id());
            return true;
        } catch (IOException e) {
            listener.begun(life, false);
            LOG.error("the life {} of {} cannot be registered now", life.id(), life.container(), e);
            return false;
        }
    }

    /** A life whose delete was missed. */
    void closeUnseen(Optional<Life> life) throws IOException {
        if (life.isPresent()) {
            close(life.get());
        }
    }

    private void close(Life life) throws IOException {
        try {
            registry.close(life);
        } finally {
            listener.deleted(life);
        }
    }

    /** Closes a deleted life; with {@code --force}, an end that comes later may be made up. */
    void closeDeleted(Life life, boolean force, Answer answer) throws IOException {
        boolean isEarly = force && life.init().isPresent() && !(answer instanceof Exited);
        close(isEarly ? life.withForceDeleted() : life);
    }

    static boolean isRunning(Life life) {
        return life.init().filter(InitProcess::isRunning).isPresent();
    }

    private void start(ContainerKey container, Path state) throws IOException {
        Optional<Life> open = registry.open(container);
        if (open.isEmpty()) {
            return;
        }
        OptionalLong pid = Bundle.initPid(open.get().bundle(), state);
        if (pid.isEmpty()) {
            LOG.warn("{} starts, but its pid cannot be read", container);
            return;
        }
        InitProcess init = InitProcess.of(pid.getAsLong());
        Life life = open.get();
        if (life.init().filter(it -> isAnother(it, init)).isPresent()) {
            // Its create looked like one that the runtime would refuse.
            closeUnseen(open);
            if (create(container, life.root(), life.bundle())) {
                start(container, state);
            }
            return;
        }
        noteInit(life.init().isPresent() ? life : life.withInit(init));
        LOG.debug("{} starts as pid {}", container, pid.getAsLong());
    }

    /** A process that is gone has no start time, and the same pid may well be the same process. */
    private static boolean isAnother(InitProcess before, InitProcess now) {
        boolean isComparable = before.startTime().isPresent() && now.startTime().isPresent();
        return before.pid() != now.pid() || (isComparable && !before.equals(now));
    }

    /** Notes the process of a life. It is watched also where the disk does not take it now. */
    void noteInit(Life life) throws IOException {
        boolean isOpen = true;
        try {
            isOpen = registry.update(life);
        } finally {
            if (isOpen) {
                listener.started(life);
            }
        }
    }

    /**
     * The runtime refuses to delete what runs, unless it is forced to. {@code --force} comes first
     * only where containerd's shim is gone or {@code create} failed: then the exit event, if there
     * will be one, comes after this, and waiting for it would be in vain.
     */
    private void delete(ContainerKey container, boolean force) throws IOException {
        Optional<Life> open = registry.open(container);
        if (open.isEmpty()) {
            return; // the second delete, or nothing of ours
        }
        Life life = open.get().init().isPresent() ? open.get() : noteMissedStart(open.get());
        if (!force && isRunning(life)) {
            LOG.info(
                    "{} is not deleted: its process {} runs",
                    container,
                    life.init().orElseThrow().pid());
            return;
        }
        Duration wait = force || life.init().isEmpty() ? Duration.ZERO : deleteWait;
        if (wait.compareTo(RECORDING) < 0 && listener.isEndKnown(life)) {
            wait = RECORDING;
        }
        wait = patience.of(wait);
        Answer.OfContainer answer = ask(life, wait);
        patience.learn(wait, answer instanceof Exited);
        if (isCleanEnd(answer, life)) {
            cleanUp(life);
            return;
        }
        closeDeleted(life, force, answer);
        LOG.info("{} is deleted; what is kept for it stays: {}", container, describe(answer));
    }

    /** Whether the answer about a life is that it, and no other life, ended with 0. */
    static boolean isCleanEnd(Answer.OfContainer answer, Life life) {
        return answer instanceof Exited(ExitEvent event, boolean _)
                && event.exit().exitStatus() == 0
                && event.life().filter(it -> !it.id().equals(life.id())).isEmpty();
    }

    /** Takes away all that is kept for the container of a life that ended with 0. */
    void cleanUp(Life life) throws IOException {
        boolean wasOpen;
        try {
            wasOpen = registry.remove(life, checkpointDir);
        } finally {
            listener.deleted(life);
            onRemoval.run();
        }
        if (wasOpen) {
            LOG.info("{} ended with 0 and is cleaned up", life.container());
        }
    }

    /**
     * The life with its process, if it was made well: its start was not seen ({@code restore} has
     * none), or never came.
     */
    private Life noteMissedStart(Life life) throws IOException {
        OptionalLong pid = Bundle.initPid(life.bundle());
        if (pid.isEmpty()) {
            return life;
        }
        Life made = life.withInit(InitProcess.of(pid.getAsLong()));
        noteInit(made);
        return made;
    }

    Answer.OfContainer ask(Life life, Duration maxWait) {
        try {
            return exitCodes.exitCode(life, maxWait);
        } catch (RuntimeException e) {
            LOG.error("the store does not answer how {} ended", life.container(), e);
            return new Answer.Unknown(life.container());
        }
    }

    private static String describe(Answer.OfContainer answer) {
        return switch (answer) {
            case Exited exited -> "it ended with " + exited.event().exit().exitStatus();
            case Answer.Running _ -> "its end is not known yet";
            case Answer.Lost _ -> "how it ended could not be observed";
            case Answer.Unknown _ -> "how it ended is not known";
        };
    }
}
