package io.tardis.listener;

import io.tardis.core.event.About;
import io.tardis.core.event.Usage;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.time.Instant;

/** What the node that this runs on knows of processes and their containers. */
interface Node {

    /**
     * The process that has {@code pid} now; without its start time where the pid was given again
     * since {@code at}.
     */
    InitProcess process(long pid, Instant at);

    /** Notes an open life that began before this daemon did. */
    void runs(Life life);

    /**
     * Who a kept life is. To be asked when its process is known.
     *
     * @param runs whether the process runs already
     */
    About about(Life life, boolean runs);

    /**
     * Has the end of a kept life reported, whose process containerd has reported; again without
     * effect.
     *
     * @param isRegistered whether the registry has it
     */
    void watch(Life life, boolean isRegistered);

    /** What a life had used, when it has ended. To be asked once; nothing is left of it then. */
    Usage usage(Life life);
}
