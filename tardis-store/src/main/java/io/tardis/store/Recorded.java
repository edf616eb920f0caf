package io.tardis.store;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.wire.Published;
import java.util.Optional;

/**
 * A message that is to be written.
 *
 * @param number grows from each message to the next
 * @param message an exit, or the begin or loss of a life
 * @param state what it says of a life, where that is to be answered
 * @param reported when the end was reported that it is about, by the monotonic clock; of an exit
 */
record Recorded(long number, Published message, Optional<LifeState> state, long reported) {

    Recorded(long number, Published message) {
        this(number, message, 0);
    }

    Recorded(long number, Published message, long reported) {
        this(number, message, LifeState.of(message), reported);
    }

    /** The same without what it says of a life. */
    Recorded withoutState() {
        return new Recorded(number, message, Optional.empty(), reported);
    }

    /** The exit, for replay. */
    Optional<ExitEvent> event() {
        return message instanceof Published.Exit(ExitEvent event)
                ? Optional.of(event)
                : Optional.empty();
    }
}
