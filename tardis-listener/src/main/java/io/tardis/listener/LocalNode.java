package io.tardis.listener;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Usage;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This machine.
 *
 * @param witnesses watch processes
 * @param checker looks at what they cannot watch now
 * @param created what containerd has reported just now
 * @param images for the publisher alone
 */
record LocalNode(
        Witnesses witnesses,
        LifeChecker checker,
        ContainerRegistry registry,
        Cgroups cgroups,
        NewProcesses created,
        BundleReader bundles,
        Images images,
        InstantSource clock)
        implements Node {

    private static final Logger LOG = LoggerFactory.getLogger(LocalNode.class);

    @Override
    public InitProcess process(long pid, Instant at) {
        try {
            return created.process(pid, at).orElseGet(() -> InitProcess.of(pid, at, clock));
        } catch (UncheckedIOException e) {
            LOG.debug("when process {} was started cannot be read now", pid, e);
        }
        return new InitProcess(pid, OptionalLong.empty());
    }

    @Override
    public void runs(Life life) {
        find(life, true);
    }

    private void find(Life life, boolean runs) {
        try {
            cgroups.find(life, runs);
        } catch (UncheckedIOException e) {
            LOG.debug("the cgroup of {} cannot be found now", life.container(), e);
        }
    }

    @Override
    public void reported(long pid) {
        created.discard(pid);
    }

    @Override
    public void note(CtrEvent.Container event) {
        images.note(event);
    }

    @Override
    public void missed() {
        images.forgetAll();
    }

    @Override
    public About about(Life life, String image) {
        return bundles.about(life.bundle(), image);
    }

    @Override
    public String image(ContainerKey container) {
        return images.of(container);
    }

    /** A restore has no start; and the launcher's call may not have reached the shim. */
    @Override
    public void watch(Life life, boolean isRegistered, boolean runs) {
        if (!isRegistered) {
            watch(life, runs);
            return;
        }
        try {
            Optional<Life> open = registry.open(life.container());
            if (open.filter(it -> it.id().equals(life.id()) && it.init().isEmpty()).isPresent()
                    && registry.update(life)) {
                checker.check(life);
            }
        } catch (IOException e) {
            LOG.warn("the start of {} cannot be noted", life.container(), e);
        }
    }

    /** From now on the end of a life cannot be missed, if anybody can report it. */
    void watch(Life life, boolean runs) {
        boolean watched = false;
        NewProcesses.@Nullable Held held =
                life.init().map(it -> created.take(it.pid())).orElse(null);
        if (held != null) {
            cgroups.add(life, held.cgroup());
        }
        try {
            watched = witnesses.watch(life, held == null ? null : held.pidfd());
        } catch (UncheckedIOException e) {
            LOG.warn("{} cannot be watched now", life.container(), e);
        }
        find(life, runs || created.isLate(life.createdAt()));
        if (!watched) {
            checker.check(life);
        }
    }

    @Override
    public void outOfMemory(Life life) {
        cgroups.outOfMemory(life);
    }

    @Override
    public Usage usage(Life life) {
        witnesses.shims().forget(life);
        return cgroups.take(life);
    }
}
