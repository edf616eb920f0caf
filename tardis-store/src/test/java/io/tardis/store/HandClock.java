package io.tardis.store;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/** A wall clock that a test moves, in both directions. */
final class HandClock implements InstantSource {

    private volatile Instant now = Instant.parse("2026-11-23T06:51:23.418Z");

    @Override
    public Instant instant() {
        return now;
    }

    void move(Duration by) {
        now = now.plus(by);
    }
}
