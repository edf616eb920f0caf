package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalLong;
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
     * An end that the kernel told is on disk within some milliseconds, or, for a death by SIGKILL,
     * when containerd had its time to say why. That is no wait for a code: it is there.
     */
    private static final Duration RECORDING = Duration.ofSeconds(1);

    /** The part of the daemon that witnesses how processes end. Called from any thread. */
    public interface Witness {

        /** Where there is no daemon, nobody witnesses anything. */
        Witness NONE =
                new Witness() {
                    @Override
                    public void started(Life life) {}

                    @Override
                    public boolean isEndTold(Life life) {
                        return false;
                    }

                    @Override
                    public void lost(Life life) {}
                };

        /** A life's process is known now, and may run when this returns. */
        void started(Life life);

        /** Whether a life's end is known already, and is only to be recorded. */
        boolean isEndTold(Life life);

        /** A life is over, and its end can be known no more; the registry says so already. */
        void lost(Life life);
    }

    /** What bytes that are no UTF-8 were replaced by. */
    private static final char NOT_UTF_8 = '\ufffd';

    private final ContainerRegistry registry;
    private final Path checkpointDir;
    private final Runnable onRemoval;
    private final ExitCodes exitCodes;
    private final Witness witness;
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
     * @param witness told of each life whose process is known now, before the process runs
     * @param deleteWait the longest wait for a code at {@code delete}; an end that is told is
     *     waited for in any case until it is recorded
     * @param clock the wall clock
     */
    public RuncShim(
            ContainerRegistry registry,
            Path checkpointDir,
            Runnable onRemoval,
            ExitCodes exitCodes,
            Witness witness,
            Duration deleteWait,
            InstantSource clock) {
        this.registry = registry;
        this.checkpointDir = checkpointDir;
        this.onRemoval = onRemoval;
        this.exitCodes = exitCodes;
        this.witness = witness;
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
            switch (call) {
                case RuncCall.Create create -> {
                    return create(create.container(), create.bundle());
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

    /** The longest time that {@link #before} waits for something. */
    public Duration longestWait() {
        return deleteWait.compareTo(RECORDING) > 0 ? deleteWait : RECORDING;
    }

    /** What makes up for the calls that this shim did not see. */
    MissedCalls missedCalls() {
        return new MissedCalls(registry, this, witness, clock);
    }

    private boolean create(ContainerKey container, Path bundle) throws IOException {
        boolean enabled;
        try {
            enabled = Bundle.isTardisEnabled(bundle);
        } catch (IOException | RuntimeException e) {
            registry.close(container);
            LOG.warn(
                    "the create of {} is passed over, and its end will not be recorded: {}{}",
                    container,
                    e,
                    bundle.toString().indexOf(NOT_UTF_8) < 0
                            ? ""
                            : " (a path that is not UTF-8 cannot be used)");
            // What cannot be opened now may be later, for want of descriptors for instance.
            return e instanceof NoSuchFileException || !(e instanceof FileSystemException);
        }
        if (!enabled) {
            // A life of another container that had this id, and whose delete was missed.
            registry.close(container);
            return true;
        }
        Life life = registry.register(container, bundle, clock.instant());
        LOG.info("{} is created (life {})", container, life.id());
        return true;
    }

    private void start(ContainerKey container, Path state) throws IOException {
        Optional<Life> open = registry.open(container);
        if (open.isEmpty()) {
            return;
        }
        OptionalLong pid = Bundle.initPid(open.get().bundle(), state);
        if (pid.isEmpty()) {
            LOG.warn("{} starts, but its pid cannot be told", container);
            return;
        }
        Life life = open.get().withInit(InitProcess.of(pid.getAsLong()));
        if (registry.update(life)) {
            witness.started(life);
            LOG.debug("{} starts as pid {}", container, pid.getAsLong());
        }
    }

    /**
     * {@code --force} comes first only where containerd's shim is gone or {@code create} failed:
     * then the exit event, if there will be one, comes after this, and waiting for it would be in
     * vain.
     */
    private void delete(ContainerKey container, boolean force) throws IOException {
        Optional<Life> open = registry.open(container);
        if (open.isEmpty()) {
            return; // the second delete, or nothing of ours
        }
        Life life = open.get().init().isPresent() ? open.get() : noteMissedStart(open.get());
        Duration wait = force || life.init().isEmpty() ? Duration.ZERO : deleteWait;
        if (wait.compareTo(RECORDING) < 0 && witness.isEndTold(life)) {
            wait = RECORDING;
        }
        wait = patience.of(wait);
        Answer.OfContainer answer = ask(container, wait);
        patience.learn(wait, answer instanceof Exited);
        if (isCleanEnd(answer, life)) {
            cleanUp(life);
            return;
        }
        if (force && life.init().isPresent() && !(answer instanceof Exited)) {
            boolean _ = registry.update(life.withForceDeleted());
        }
        registry.close(container);
        LOG.info("{} is deleted; what is kept for it stays: {}", container, describe(answer));
    }

    /** Whether the answer is that this very life ended with 0. */
    static boolean isCleanEnd(Answer.OfContainer answer, Life life) {
        return answer instanceof Exited(ExitEvent event, boolean _)
                && event.exit().exitStatus() == 0
                && life.endsWith(event.exit());
    }

    /** Takes away all that is kept for the container of a life that ended with 0. */
    void cleanUp(Life life) throws IOException {
        boolean wasOpen;
        try {
            wasOpen = registry.remove(life, checkpointDir);
        } finally {
            onRemoval.run();
        }
        if (wasOpen) {
            LOG.info("{} ended with 0 and is cleaned up", life.container());
        }
    }

    /**
     * The life with its process, if it was made well: its start was not seen ({@code restore} has
     * none), or never came. A life without a process does not count, and the answer would be that
     * of the life before.
     */
    private Life noteMissedStart(Life life) throws IOException {
        OptionalLong pid = Bundle.initPid(life.bundle());
        if (pid.isEmpty()) {
            return life;
        }
        Life made = life.withInit(InitProcess.of(pid.getAsLong()));
        boolean _ = registry.update(made);
        return made;
    }

    Answer.OfContainer ask(ContainerKey container, Duration maxWait) {
        try {
            return exitCodes.exitCode(container, maxWait);
        } catch (RuntimeException e) {
            LOG.error("nobody can tell how {} ended", container, e);
            return new Answer.Unknown(container);
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
