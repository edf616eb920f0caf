package io.tardis.listener;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
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
     * Has the end of a kept life reported, whose process containerd has reported; again without
     * effect.
     *
     * @param isRegistered whether the registry has it
     * @param runs whether the process runs already
     */
    void watch(Life life, boolean isRegistered, boolean runs);

    /** A report of a process was handled: what was held for it is not needed. */
    void reported(long pid);

    /** A container was created or deleted; {@link #image} knows its image from now on. */
    void note(CtrEvent.Container event);

    /** Events were missed: what they had said of containers may be wrong by now. */
    void missed();

    /**
     * Who a kept life is. To be asked when its process is watched: that cannot wait.
     *
     * @param image as for {@link BundleReader#about}
     */
    About about(Life life, String image);

    /** The image of the container that has this name by the events so far; blank if not known. */
    String image(ContainerKey container);

    /** containerd reports that the kernel killed a process of an open life for memory. */
    void outOfMemory(Life life);

    /**
     * What a life had used, when it has ended or is lost. To be asked once; nothing is left of it
     * then, and no shim is asked for its end.
     */
    Usage usage(Life life);
}
