package io.tardis.store;

import io.tardis.core.event.ExitEvent;
import java.util.Optional;

/**
 * An exit to be written.
 *
 * @param event the exit, for replay
 * @param end the end of a life, if it is one whose code is kept
 */
record Recorded(ExitEvent event, Optional<End> end) {}
