package io.tardis.store;

import io.tardis.core.config.RecordScope;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Exited;
import io.tardis.core.wire.Answer.Lost;
import io.tardis.core.wire.Answer.Running;
import io.tardis.core.wire.Answer.Unknown;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Brings the registry of lives and the recorded ends together: whose end an exit is, and what is
 * known of a container now.
 *
 * <p>A container's newest life counts. One that was never started and never ended (its {@code
 * create} failed) never lived: what is known of the container is what was known before.
 */
final class LifeStates implements ExitRecorder.Lives {

    /** Begins the id of a life that the registry does not know. */
    private static final String UNREGISTERED = "exit-";

    private final ContainerRegistry registry;
    private final RecordScope scope;
    private final Consumer<TaskExit> beforeEnd;

    /**
     * The lives in {@code registry}.
     *
     * @param beforeEnd called before it is told whose end an exit is; throws {@link
     *     UncheckedIOException} if that has to wait
     */
    LifeStates(ContainerRegistry registry, RecordScope scope, Consumer<TaskExit> beforeEnd) {
        this.registry = registry;
        this.scope = scope;
        this.beforeEnd = beforeEnd;
    }

    /**
     * {@inheritDoc}
     *
     * <p>The life with the exit's pid comes first, also where the exit is told so late that a newer
     * life has begun. Where no life has it, the time decides, but not for a deleted life without a
     * pid: the shim notes the pid at the latest at {@code delete}, so that one never had a process.
     */
    @Override
    public Optional<End> endOf(ExitEvent event) {
        if (!event.exit().isContainerExit()) {
            return Optional.empty();
        }
        TaskExit exit = event.exit();
        beforeEnd.accept(exit);
        // In this order: a life that is deleted in between is seen twice, and not overlooked.
        Optional<Life> open = registry.open(exit.container());
        Optional<Life> last = registry.last(exit.container());
        List<Life> known = Stream.of(open, last).flatMap(Optional::stream).toList();
        Optional<Life> ended =
                known.stream()
                        .filter(it -> hasPidOf(it, exit))
                        .findFirst()
                        .or(() ->
                                (exit.pid() == 0 ? known.stream() : open.stream())
                                        .filter(it -> it.endsWith(exit))
                                        .findFirst());
        if (ended.isPresent()) {
            Life life = ended.get();
            boolean newest = life.id().equals(known.getFirst().id());
            return Optional.of(new End(life.id(), life.createdAt(), event, newest));
        }
        String id = UNREGISTERED + event.seq();
        return scope == RecordScope.ALL
                ? Optional.of(new End(id, event.exit().exitedAt(), event, known.isEmpty()))
                : Optional.empty();
    }

    /**
     * What is known of {@code container}.
     *
     * <p>The ends are looked up after the lives: the other way round, a life that ended and was
     * deleted in between would look as if its end had been lost.
     *
     * @param ends gives the newest end of a container
     */
    Answer.OfContainer stateOf(
            ContainerKey container, Function<ContainerKey, Optional<EndCache.Known>> ends) {
        Optional<Life> open = registry.open(container);
        Optional<Life> last = open.isPresent() ? Optional.empty() : registry.last(container);
        Optional<EndCache.Known> latest = ends.apply(container);
        if (open.isPresent() && !isEndOf(open.get(), latest)) {
            return open.get().lost() ? new Lost(container) : new Running(container);
        }
        if (last.isPresent()
                && (last.get().init().isPresent() || last.get().lost())
                && !isEndOf(last.get(), latest)
                && !isOlder(last.get(), latest)) {
            return new Lost(container);
        }
        return latest.<Answer.OfContainer>map(
                        known -> new Exited(known.end().event(), known.durable()))
                .orElseGet(() -> new Unknown(container));
    }

    @Override
    public boolean forget(ContainerKey container, String lifeId) {
        if (lifeId.startsWith(UNREGISTERED)) {
            return true;
        }
        if (registry.open(container).filter(it -> it.id().equals(lifeId)).isPresent()) {
            return false;
        }
        try {
            registry.forgetLast(container, lifeId);
            return true;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean hasPidOf(Life life, TaskExit exit) {
        return exit.pid() != 0
                && life.init().filter(it -> it.pid() == exit.pid()).isPresent()
                && life.endsWith(exit);
    }

    private static boolean isEndOf(Life life, Optional<EndCache.Known> latest) {
        return latest.isPresent() && latest.get().end().lifeId().equals(life.id());
    }

    /**
     * Only a life that is not registered can be newer than the last registered one; its clock is
     * all that is known of it.
     */
    private static boolean isOlder(Life life, Optional<EndCache.Known> latest) {
        return latest.isPresent()
                && latest.get().end().lifeId().startsWith(UNREGISTERED)
                && life.createdAt().isBefore(latest.get().end().createdAt());
    }
}
