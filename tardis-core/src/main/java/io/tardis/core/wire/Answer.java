package io.tardis.core.wire;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.figures.Figures;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What a client is answered. */
public sealed interface Answer {

    /** What is known of one container. */
    sealed interface OfContainer extends Answer {
        /** The container that was asked for. */
        ContainerKey container();
    }

    /**
     * It ended, and this is how.
     *
     * @param event its end
     * @param durable whether the end is on disk; if not, it comes from memory, because the disk
     *     cannot be written
     */
    record Exited(ExitEvent event, boolean durable) implements OfContainer {
        @Override
        public ContainerKey container() {
            return event.exit().container();
        }
    }

    /**
     * It lives, as far as is known.
     *
     * @param container the container
     * @param begun its life; empty if the daemon did not name one
     */
    record Running(ContainerKey container, Optional<Published.Begun> begun)
            implements OfContainer {}

    /**
     * It ended, and nobody observed its code.
     *
     * @param container the container
     * @param begun its life; empty if the daemon did not name one
     */
    record Lost(ContainerKey container, Optional<Published.Begun> begun) implements OfContainer {}

    /** No code is kept for such a container. */
    record Unknown(ContainerKey container) implements OfContainer {}

    /**
     * Recorded exits, oldest first.
     *
     * @param events the exits
     * @param firstSeq the oldest exit that can be replayed; 0 if there is none
     * @param lastSeq the newest exit that is recorded; 0 if there is none
     */
    record Events(List<ExitEvent> events, long firstSeq, long lastSeq) implements Answer {
        public Events {
            events = List.copyOf(events);
        }
    }

    /** The containers that are known. */
    record Containers(List<OfContainer> containers) implements Answer {
        public Containers {
            containers = List.copyOf(containers);
        }
    }

    /** What was counted and measured. */
    record Counted(Figures figures) implements Answer {}

    /**
     * Somebody is there.
     *
     * @param version the version of Tardis
     * @param lastSeq the newest exit that is recorded; 0 if there is none
     * @param backlog what is not on disk
     * @param health how its parts are; empty if it did not say, as daemons that know of no health
     *     do not
     */
    record Pong(String version, long lastSeq, Backlog backlog, Optional<Health> health)
            implements Answer {

        /** What is wrong with the daemon, a line each; empty if nothing is. */
        public List<String> problems() {
            List<String> problems = new ArrayList<>();
            health.map(Health::source)
                    .filter(it -> !it.ok())
                    .map(Health.Source::lastEnd)
                    .map(it -> it.isEmpty() ? "the event source does not run" : it)
                    .ifPresent(problems::add);
            health.map(Health::socket)
                    .filter(it -> !it.ok())
                    .map(Health.Socket::reason)
                    .ifPresent(problems::add);
            health.map(Health::clients)
                    .filter(it -> !it.ok())
                    .map(Health.Clients::reason)
                    .ifPresent(problems::add);
            if (!backlog.durable()) {
                problems.add(
                        backlog.unwritten()
                                + " exits are in memory only, because the exit log cannot be used;"
                                + " the daemon's log says why");
            }
            return List.copyOf(problems);
        }
    }

    /**
     * The exits that are not on disk.
     *
     * @param durable whether the disk could be written at the last try
     * @param unwritten how many exits are in memory only, because it could not
     * @param dropped how many exits the daemon has given up since its start, because memory for
     *     them is limited
     */
    record Backlog(boolean durable, long unwritten, long dropped) {
        /** Everything is on disk. */
        public static final Backlog NONE = new Backlog(true, 0, 0);
    }

    /**
     * The question was not answered.
     *
     * @param error a fixed word, {@code bad_request} for instance
     * @param message what is wrong, in a sentence
     */
    record Refused(String error, String message) implements Answer {
        /** The bytes were no question. */
        public static final String BAD_REQUEST = "bad_request";

        /** The asker, or all together, ask more than a limit allows. */
        public static final String TOO_MANY = "too_many";

        /** The store cannot answer now. */
        public static final String UNAVAILABLE = "unavailable";
    }
}
