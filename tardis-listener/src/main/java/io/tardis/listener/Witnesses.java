package io.tardis.listener;

import io.tardis.core.registry.Life;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Those who can say how the process of a life ends, without containerd: the kernel, and where it
 * does not report that, or the process was gone before anybody watched it, containerd's shim.
 */
record Witnesses(Optional<KernelWitness> kernel, ShimWitness shims) {

    /** As {@link #watch(Life, Pidfd)}, for a process that nobody holds. */
    boolean watch(Life life) {
        return watch(life, null);
    }

    /**
     * Has the end of a life reported, which may be past. From any thread.
     *
     * @param held its process, if it is held; closed by this
     * @return false if nobody can report it
     * @throws java.io.UncheckedIOException if it cannot be watched now, for want of descriptors
     */
    boolean watch(Life life, @Nullable Pidfd held) {
        return kernel.filter(it -> it.watch(life, held)).isPresent()
                || (!life.bundle().toString().isEmpty() && shims.watch(life));
    }

    /** Whether the end of a life is still to be reported. */
    boolean isWatching(Life life) {
        return kernel.filter(it -> it.isWatching(life)).isPresent() || shims.isWatching(life);
    }

    void start() {
        kernel.ifPresent(KernelWitness::start);
        shims.start();
    }

    /** Reports no more. What was reported can still be taken. May be called twice. */
    void stop() {
        kernel.ifPresent(KernelWitness::stop);
        shims.close();
    }

    void close() {
        stop();
        kernel.ifPresent(KernelWitness::close);
    }
}
