package io.tardis.listener;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Usage;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A node whose processes all have one start time, and whose containers have the names of theirs.
 */
final class FakeNode implements Node {

    /** 0 where they are gone. */
    long startTime = 1;

    /** By the events so far. */
    String image = "";

    /** What each life has used. */
    Usage usage = Usage.NOTHING;

    /** The registered lives that were to be watched. */
    final List<Life> registered = new ArrayList<>();

    /** The other ones. */
    final List<Life> watched = new ArrayList<>();

    final List<Life> running = new ArrayList<>();
    final List<Life> outOfMemory = new ArrayList<>();
    final List<Life> ended = new ArrayList<>();

    @Override
    public InitProcess process(long pid, Instant at) {
        return new InitProcess(
                pid, startTime == 0 ? OptionalLong.empty() : OptionalLong.of(startTime));
    }

    @Override
    public void runs(Life life) {
        running.add(life);
    }

    @Override
    public void reported(long pid) {
        // nothing is held
    }

    @Override
    public void note(CtrEvent.Container event) {
        // nobody asks for its image
    }

    @Override
    public void missed() {
        // nothing was noted
    }

    @Override
    public About about(Life life, String image) {
        return about(life.container().id(), image);
    }

    @Override
    public String image(ContainerKey container) {
        return image;
    }

    About about(String name) {
        return about(name, "");
    }

    About about(String name, String ofImage) {
        return new About(
                Optional.empty(),
                Optional.of(ofImage).filter(it -> !it.isEmpty()),
                Optional.of(name),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                false);
    }

    @Override
    public void watch(Life life, boolean isRegistered, boolean runs) {
        (isRegistered ? registered : watched).add(life);
    }

    @Override
    public void outOfMemory(Life life) {
        outOfMemory.add(life);
    }

    @Override
    public Usage usage(Life life) {
        ended.add(life);
        return usage;
    }
}
