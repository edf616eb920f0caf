package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.ContainerTree;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
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

    private final ContainerRegistry registry;
    private final Path checkpointDir;
    private final ExitCodes exitCodes;
    private final Consumer<Life> onStart;
    private final Predicate<Life> isEndTold;
    private final Duration deleteWait;
    private final InstantSource clock;

    /**
     * A shim.
     *
     * @param registry where lives are registered
     * @param checkpointDir holds the checkpoints of containers, {@code NS/ID/}
     * @param exitCodes asked at {@code delete}
     * @param onStart told each life whose process is known now, before the process runs
     * @param isEndTold whether a life's end is known already, and is only to be recorded
     * @param deleteWait the longest wait for a code at {@code delete}; an end that is told is
     *     waited for in any case until it is recorded
     * @param clock the wall clock
     */
    public RuncShim(
            ContainerRegistry registry,
            Path checkpointDir,
            ExitCodes exitCodes,
            Consumer<Life> onStart,
            Predicate<Life> isEndTold,
            Duration deleteWait,
            InstantSource clock) {
        this.registry = registry;
        this.checkpointDir = checkpointDir;
        this.exitCodes = exitCodes;
        this.onStart = onStart;
        this.isEndTold = isEndTold;
        this.deleteWait = deleteWait;
        this.clock = clock;
    }

    /**
     * Does what is to be done before the runtime gets {@code command}; returns when the runtime may
     * run.
     *
     * @return false if it could not be done, which is logged
     */
    public boolean before(RuncCommandLine command) {
        try {
            switch (command) {
                case RuncCommandLine.Create(ContainerKey container, Path bundle) ->
                        create(container, bundle);
                case RuncCommandLine.Start(ContainerKey container, Path state) ->
                        start(container, state);
                case RuncCommandLine.Delete(ContainerKey container, boolean force) ->
                        delete(container, force);
                case RuncCommandLine.PassThrough _ -> {}
            }
            return true;
        } catch (IOException | RuntimeException e) {
            LOG.error("{} cannot be attended to", command, e);
            return false;
        }
    }

    /** The longest time that {@link #before} waits for something. */
    public Duration longestWait() {
        return deleteWait.compareTo(RECORDING) > 0 ? deleteWait : RECORDING;
    }

    private void create(ContainerKey container, Path bundle) throws IOException {
        if (!Bundle.isTardisEnabled(bundle)) {
            // A life of another container that had this id, and whose delete was missed.
            registry.close(container);
            return;
        }
        Life life = registry.register(container, bundle, clock.instant());
        LOG.info("{} is created (life {})", container, life.id());
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
            onStart.accept(life);
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
        if (wait.compareTo(RECORDING) < 0 && isEndTold.test(life)) {
            wait = RECORDING;
        }
        Answer.OfContainer answer = ask(container, wait);
        if (answer instanceof Exited(ExitEvent event, boolean _, var _)
                && event.exit().exitStatus() == 0
                && life.endsWith(event.exit())) {
            try {
                ContainerTree.remove(checkpointDir, container);
            } finally {
                registry.remove(container);
            }
            LOG.info("{} ended with 0 and is cleaned up", container);
            return;
        }
        if (force && life.init().isPresent() && !(answer instanceof Exited)) {
            boolean _ = registry.update(life.withForceDeleted());
        }
        registry.close(container);
        LOG.info("{} is deleted; what is kept for it stays: {}", container, describe(answer));
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

    private Answer.OfContainer ask(ContainerKey container, Duration maxWait) {
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
