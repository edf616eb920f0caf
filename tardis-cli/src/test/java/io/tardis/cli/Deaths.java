package io.tardis.cli;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.TaskExit;
import io.tardis.core.event.Usage;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * An exit of a container of Docker, for reports; each method returns one that differs a little.
 *
 * @param peak the most memory, in MiB; 0 if it is not known
 * @param limit its limit, in MiB; 0 for none
 */
record Deaths(
        String namespace,
        String id,
        String image,
        String name,
        Instant end,
        Duration ran,
        long code,
        boolean oomKilled,
        long peak,
        long limit) {

    /** When a report of the tests is made. */
    static final Instant NOW = Instant.parse("2025-04-05T12:30:00Z");

    static final Instant YESTERDAY = NOW.minus(Duration.ofDays(1));

    /** It ended with 0 two hours ago, after 10 s. */
    static Deaths of(String image, String name) {
        Instant end = NOW.minus(Duration.ofHours(2));
        return new Deaths("moby", "c1", image, name, end, Duration.ofSeconds(10), 0, false, 0, 0);
    }

    Deaths in(String otherNamespace) {
        return new Deaths(otherNamespace, id, image, name, end, ran, code, oomKilled, peak, limit);
    }

    Deaths code(long other) {
        return new Deaths(namespace, id, image, name, end, ran, other, oomKilled, peak, limit);
    }

    Deaths ago(Duration age) {
        return before(NOW, age);
    }

    Deaths before(Instant time, Duration age) {
        return new Deaths(
                namespace, id, image, name, time.minus(age), ran, code, oomKilled, peak, limit);
    }

    Deaths after(Duration time) {
        return new Deaths(namespace, id, image, name, end, time, code, oomKilled, peak, limit);
    }

    Deaths memory(long peakMib, long limitMib) {
        return new Deaths(namespace, id, image, name, end, ran, code, oomKilled, peakMib, limitMib);
    }

    Deaths outOfMemory() {
        return new Deaths(namespace, id, image, name, end, ran, 137, true, peak, limit);
    }

    ExitEvent event(long seq) {
        return event(seq, false);
    }

    ExitEvent ofSandbox(long seq) {
        return event(seq, true);
    }

    ExitEvent ofExec(long seq) {
        ExitEvent event = event(seq);
        return new ExitEvent(
                seq,
                event.exit().asExec(),
                event.signal(),
                false,
                event.source(),
                event.life(),
                event.details());
    }

    private ExitEvent event(long seq, boolean sandbox) {
        return new ExitEvent(
                seq,
                new TaskExit(new ContainerKey(namespace, id), id, 6615, code, end),
                OptionalInt.empty(),
                oomKilled,
                ExitSource.KERNEL,
                Optional.empty(),
                new LifeDetails(Optional.of(end.minus(ran)), about(sandbox), usage()));
    }

    private About about(boolean sandbox) {
        return new About(
                Optional.of("program"),
                Optional.of(image).filter(it -> !it.isEmpty()),
                Optional.of(name).filter(it -> !it.isEmpty()),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                sandbox);
    }

    private Usage usage() {
        return new Usage(
                mebibytes(peak),
                mebibytes(limit),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalLong.empty());
    }

    private static OptionalLong mebibytes(long number) {
        return number == 0 ? OptionalLong.empty() : OptionalLong.of(number * Lives.MIB);
    }
}
