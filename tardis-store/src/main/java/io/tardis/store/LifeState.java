package io.tardis.store;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.Published.Begun;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What is known of one life.
 *
 * @param begun its begin, as far as it is known
 * @param stage how far it has come
 * @param end its end, from {@link Stage#ASSUMED} on
 * @param newest whether the container is known to have had no life after it; counts more than the
 *     wall clock, which may have been set back since the life before
 */
record LifeState(Begun begun, Stage stage, Optional<ExitEvent> end, boolean newest) {

    /**
     * How far a life has come. A later stage replaces an earlier one, and never the other way. Of
     * one stage the first state stays, unless a later one {@link #corrects} it.
     */
    enum Stage {
        /** Nothing is kept of it, but it is a life after others. */
        NOT_KEPT(0),
        OPEN(1),
        /** It is over, and nobody observed how it ended. */
        LOST(2),
        /** It ended, with a code that containerd made up. */
        ASSUMED(3),
        ENDED(4);

        private final int number;

        Stage(int number) {
            this.number = number;
        }

        /** Stands for it on disk. */
        int number() {
            return number;
        }

        static Stage of(int number) {
            return Arrays.stream(values())
                    .filter(it -> it.number == number)
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("no stage " + number));
        }
    }

    /**
     * What a message says of a life that is kept, or comes after such; empty if it says nothing.
     */
    static Optional<LifeState> of(Published message) {
        return switch (message) {
            case Begun begun -> {
                Stage stage = begun.life().kept() ? Stage.OPEN : Stage.NOT_KEPT;
                yield Optional.of(new LifeState(begun, stage, Optional.empty(), true));
            }
            case Published.Exit(ExitEvent event) when event.exit().isContainerExit() ->
                    event.life().map(it -> ended(it, event));
            case Published.Lost(long lastSeq, ContainerKey container, LifeRef life)
                    when life.kept() ->
                    Optional.of(lost(lastSeq, container, life));
            case Published.Exit _, Published.Lost _, Published.Heartbeat _, Published.Gap _ ->
                    Optional.empty();
        };
    }

    static LifeState lost(long lastSeq, ContainerKey container, LifeRef life) {
        return new LifeState(begun(lastSeq, container, life), Stage.LOST, Optional.empty(), false);
    }

    static LifeState ended(LifeRef life, ExitEvent event) {
        Begun begun = begun(event.exit().container(), life);
        if (!life.kept()) {
            return new LifeState(begun, Stage.NOT_KEPT, Optional.empty(), false);
        }
        Stage stage = event.source() == ExitSource.ASSUMED ? Stage.ASSUMED : Stage.ENDED;
        return new LifeState(begun, stage, Optional.of(event), false);
    }

    /** A begin of which no more than the life is known. */
    static Begun begun(ContainerKey container, LifeRef life) {
        return begun(0, container, life);
    }

    private static Begun begun(long lastSeq, ContainerKey container, LifeRef life) {
        OptionalLong none = OptionalLong.empty();
        return new Begun(lastSeq, container, life, none, none, none);
    }

    ContainerKey container() {
        return begun.container();
    }

    String lifeId() {
        return begun.life().id();
    }

    /** Whether {@code other} is of the same life, which had come as far by then or further. */
    boolean isNoFurther(LifeState other) {
        return lifeId().equals(other.lifeId()) && !replaces(other);
    }

    /** Whether it says more of the same life. */
    boolean replaces(LifeState other) {
        return stage.compareTo(other.stage) > 0 || corrects(other);
    }

    /** Whether it is the same, and says only now that memory ran out, or which image it is of. */
    private boolean corrects(LifeState other) {
        return mayCorrect()
                && other.stage == stage
                && (stage == Stage.OPEN
                        ? !other.hasImage()
                        : other.end
                                .filter(it -> !it.oomKilled())
                                .map(ExitEvent::exit)
                                .equals(end.map(ExitEvent::exit)));
    }

    /** Whether it can be such a state. */
    boolean mayCorrect() {
        return (stage == Stage.ENDED && end.filter(ExitEvent::oomKilled).isPresent())
                || (stage == Stage.OPEN && hasImage());
    }

    private boolean hasImage() {
        return begun.details().about().image().isPresent();
    }

    /**
     * The same choice that the log makes: the newer life, and of one life the later stage.
     *
     * @param later what was received after this
     */
    LifeState or(LifeState later) {
        if (lifeId().equals(later.lifeId())) {
            LifeState further = later.replaces(this) ? later : this;
            boolean isBegunKnown =
                    begun.pid().isPresent() && !(stage == Stage.OPEN && later.corrects(this));
            Begun known = isBegunKnown ? begun : later.begun;
            return new LifeState(known, further.stage, further.end, newest || later.newest);
        }
        boolean isNewer =
                later.newest || !later.begun.life().createdAt().isBefore(begun.life().createdAt());
        return isNewer ? later : this;
    }

    /**
     * The answer to a question about this life.
     *
     * @param durable whether the end is on disk
     */
    Answer.OfContainer answer(boolean durable) {
        return switch (stage) {
            case NOT_KEPT -> new Answer.Unknown(container());
            case OPEN -> new Answer.Running(container(), Optional.of(begun));
            case LOST -> new Answer.Lost(container(), Optional.of(begun));
            case ASSUMED, ENDED -> new Answer.Exited(end.orElseThrow(), durable);
        };
    }
}
