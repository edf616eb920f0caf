package io.tardis.cli;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.event.Usage;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Query;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Function;

/** Lives with names, for tests, and a daemon that knows them. */
final class Lives {

    /** An id as Docker makes them. */
    static final String ID = "3f9c12ab34cd".repeat(5) + "0123";

    /** When the first life of a test begins. */
    static final Instant BEGIN = Instant.parse("2025-04-04T19:00:00Z");

    static final long MIB = 1L << 20;

    private static final Usage USAGE =
            new Usage(
                    OptionalLong.of(536_660_800),
                    OptionalLong.of(512 * MIB),
                    OptionalLong.of(1),
                    OptionalLong.of(1_830_211),
                    OptionalLong.of(250_000),
                    OptionalLong.of(7));

    private Lives() {}

    /**
     * A life that begins some seconds after {@link #BEGIN} and ends 47.2 s later. The numbers of
     * the exits are seconds, too.
     */
    record Builder(ContainerKey key, About about, Usage usage, long second) {

        Builder at(long otherSecond) {
            return new Builder(key, about, usage, otherSecond);
        }

        Builder withUsage() {
            return new Builder(key, about, USAGE, second);
        }

        private Instant begin() {
            return BEGIN.plusSeconds(second);
        }

        private LifeRef ref() {
            return new LifeRef("%08x-%d".formatted(key.hashCode(), second), begin(), true);
        }

        ExitEvent exit(long seq, long code) {
            return exit(seq, code, OptionalInt.empty(), false, ExitSource.KERNEL);
        }

        ExitEvent exit(
                long seq, long code, OptionalInt signal, boolean oomKilled, ExitSource source) {
            return new ExitEvent(
                    seq,
                    new TaskExit(key, key.id(), 6615, code, begin().plusMillis(47_300)),
                    signal,
                    oomKilled,
                    source,
                    Optional.of(ref()),
                    new LifeDetails(Optional.of(begin().plusMillis(100)), about, usage));
        }

        OfContainer exited(long code) {
            return new Answer.Exited(exit(second + 1, code), true);
        }

        OfContainer outOfMemory() {
            return new Answer.Exited(
                    withUsage().exit(second + 1, 137, OptionalInt.of(9), true, ExitSource.KERNEL),
                    true);
        }

        OfContainer killed() {
            return new Answer.Exited(
                    exit(second + 1, 137, OptionalInt.of(9), false, ExitSource.KERNEL), true);
        }

        OfContainer running() {
            return new Answer.Running(key, Optional.of(begun(second)));
        }

        OfContainer lost() {
            return lostAfter(second);
        }

        OfContainer lostAfter(long lastSeq) {
            return new Answer.Lost(key, Optional.of(begun(lastSeq)));
        }

        private Published.Begun begun(long lastSeq) {
            return new Published.Begun(
                    lastSeq,
                    key,
                    ref(),
                    OptionalLong.of(6615),
                    OptionalLong.empty(),
                    OptionalLong.empty(),
                    new LifeDetails(Optional.of(begin().plusMillis(100)), about, Usage.NOTHING));
        }
    }

    private static Builder builder(String namespace, String id, About about) {
        return new Builder(new ContainerKey(namespace, id), about, Usage.NOTHING, 0);
    }

    /** A container of Docker. */
    static Builder named(String namespace, String id, String name) {
        return builder(
                namespace,
                id,
                new About(
                        Optional.of("nginx"),
                        Optional.of("docker.io/library/nginx:1.29"),
                        Optional.of(name),
                        Optional.of("host-of-" + name),
                        Optional.empty(),
                        Optional.empty(),
                        false));
    }

    /** A container of a pod. */
    static Builder inPod(String id, String podNamespace, String pod, String container) {
        return ofPod(id, podNamespace, pod, Optional.of(container));
    }

    /** A pod's sandbox. */
    static Builder sandbox(String id, String podNamespace, String pod) {
        return ofPod(id, podNamespace, pod, Optional.empty());
    }

    private static Builder ofPod(
            String id, String podNamespace, String pod, Optional<String> container) {
        return builder(
                "k8s.io",
                id,
                new About(
                        Optional.of("app"),
                        Optional.of("example.org/" + container.orElse("pause") + ":1"),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.of(new About.Pod(podNamespace, pod, Optional.of("uid-of-" + pod))),
                        container,
                        container.isEmpty()));
    }

    /** Answers as a daemon does that knows these lives, with nothing in its log. */
    static Function<Query, Answer> daemon(OfContainer... lives) {
        return daemon(List.of(), lives);
    }

    /** The same, with these exits in its log. */
    static Function<Query, Answer> daemon(List<ExitEvent> log, OfContainer... lives) {
        long last = log.isEmpty() ? 0 : log.getLast().seq();
        return query ->
                switch (query) {
                    case Query.ListContainers(Optional<String> namespace, int limit) ->
                            new Answer.Containers(
                                    List.of(lives).stream()
                                            .filter(it ->
                                                    namespace
                                                            .map(it.container().namespace()::equals)
                                                            .orElse(true))
                                            .limit(limit)
                                            .toList());
                    case Query.ExitCode(ContainerKey key, var _, var _) ->
                            List.of(lives).stream()
                                    .filter(it -> it.container().equals(key))
                                    .findFirst()
                                    .orElse(new Answer.Unknown(key));
                    case Query.Replay(long after, int limit) ->
                            new Answer.Events(
                                    log.stream()
                                            .filter(it -> it.seq() > after)
                                            .limit(limit)
                                            .toList(),
                                    log.isEmpty() ? 0 : log.getFirst().seq(),
                                    last);
                    case Query.AskFigures _ -> new Answer.Counted(new Meter().read(0, 0, 0));
                    case Query.Ping _ ->
                            new Answer.Pong("1", last, Answer.Backlog.NONE, Optional.empty());
                };
    }
}
