package io.tardis.cli;

import io.tardis.core.Printable;
import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Published.Begun;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What an answer says of one life, wherever the answer has it.
 *
 * @param answer the answer
 */
record Life(OfContainer answer) {

    /**
     * Orders lives of one name by their begin, the oldest first, whatever the clock did meanwhile.
     * The next container of a name comes after the end of the one before. So an open life is the
     * newest, and the numbers of exits order the others.
     */
    static final Comparator<Life> BY_AGE =
            Comparator.comparing(Life::isRunning)
                    .thenComparingLong(Life::position)
                    .thenComparing(it -> it.end().isEmpty())
                    .thenComparing(Life::firstTime);

    private static final int SHORT_ID = 12;

    /**
     * What stays the same when a container is replaced by the next one of its name.
     *
     * @param namespace the Kubernetes namespace of a pod, else the containerd namespace
     * @param name the pod's name, else the container's
     * @param container its name in the pod; empty without a pod
     */
    record Identity(String namespace, String name, Optional<String> container) {}

    /** The life that {@code event} ends. */
    static Life of(ExitEvent event) {
        return new Life(new Answer.Exited(event, true));
    }

    ContainerKey container() {
        return answer.container();
    }

    Optional<ExitEvent> end() {
        return answer instanceof Answer.Exited(ExitEvent event, boolean _)
                ? Optional.of(event)
                : Optional.empty();
    }

    private Optional<Begun> begun() {
        return switch (answer) {
            case Answer.Running(var _, var begun) -> begun;
            case Answer.Lost(var _, var begun) -> begun;
            case Answer.Exited _, Answer.Unknown _ -> Optional.empty();
        };
    }

    Optional<LifeRef> ref() {
        return end().flatMap(ExitEvent::life).or(() -> begun().map(Begun::life));
    }

    LifeDetails details() {
        return end().map(ExitEvent::details)
                .or(() -> begun().map(Begun::details))
                .orElse(LifeDetails.NONE);
    }

    About about() {
        return details().about();
    }

    boolean isRunning() {
        return answer instanceof Answer.Running;
    }

    /** Whether it ended with another code than 0, or nobody knows how. */
    boolean isFailed() {
        return answer instanceof Answer.Lost
                || end().filter(it -> it.exit().exitStatus() != 0).isPresent();
    }

    boolean isOomKilled() {
        return end().filter(ExitEvent::oomKilled).isPresent();
    }

    Optional<Instant> createdAt() {
        return ref().map(LifeRef::createdAt);
    }

    /** When its process began to run, or else when it was created. */
    Optional<Instant> begunAt() {
        return details().startedAt().or(this::createdAt);
    }

    Optional<Instant> endedAt() {
        return end().map(it -> it.exit().exitedAt());
    }

    /** Its end if it has ended, its begin while it runs; empty where that is not known. */
    Optional<Instant> lastChange() {
        return isRunning() ? begunAt() : endedAt();
    }

    /** The number of its exit; without one, that of the last exit before its begin. */
    private long position() {
        return end().map(ExitEvent::seq).or(() -> begun().map(Begun::lastSeq)).orElse(0L);
    }

    /** The first time that is known of it. */
    Instant firstTime() {
        return Stream.of(createdAt(), details().startedAt(), endedAt())
                .flatMap(Optional::stream)
                .findFirst()
                .orElse(Instant.EPOCH);
    }

    /** How long its process ran, until {@code now} if it does; empty where that is not known. */
    Optional<Duration> duration(Instant now) {
        return (isRunning() ? Optional.of(now) : endedAt()).flatMap(details()::durationUntil);
    }

    /** What the next container of its name shares with it. A sandbox has no such name. */
    Optional<Identity> identity() {
        About about = about();
        if (about.sandbox()) {
            return Optional.empty();
        }
        return about.pod()
                .map(it -> new Identity(it.namespace(), it.name(), about.podContainer()))
                .or(() ->
                        about.name()
                                .map(it ->
                                        new Identity(
                                                container().namespace(), it, Optional.empty())));
    }

    /** The name that people know: {@code pod/NAME/CONTAINER}, or the container's own. */
    Optional<String> name() {
        About about = about();
        return about.pod()
                .map(it -> "pod/" + it.name() + about.podContainer().map("/"::concat).orElse(""))
                .or(about::name)
                .map(Printable::of);
    }

    /** The name, or else the id, which is cut as Docker does if it is one that nobody chose. */
    String title() {
        String id = container().id();
        return name().orElse(isRandomId(id) ? id.substring(0, SHORT_ID) : id);
    }

    /** Whether {@code id} is one that Docker, Podman, nerdctl or a CRI made: no two are equal. */
    static boolean isRandomId(String id) {
        return id.length() == 64
                && id.chars().allMatch(c -> (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    }
}
