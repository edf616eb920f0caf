package io.tardis.runc;

import io.tardis.core.registry.Life;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** A witness that hands on what it is told. */
record FakeWitness(Consumer<Life> onStart, Predicate<Life> told, Consumer<Life> onLost)
        implements RuncShim.Witness {

    @Override
    public void started(Life life) {
        onStart.accept(life);
    }

    @Override
    public boolean isEndTold(Life life) {
        return told.test(life);
    }

    @Override
    public void lost(Life life) {
        onLost.accept(life);
    }
}
