package io.tardis.testkit;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/** A wall clock that a test moves, in both directions. From any thread. */
public final class HandClock implements InstantSource {

    private volatile Instant now = Instant.parse("2026-11-23T06:51:23.418Z");

    @Override
    public Instant instant() {
        return now;
    }

    /** Moves it ahead, or back by a negative duration. For one thread. */
    public void move(Duration by) {
        now = now.plus(by);
    }
}
