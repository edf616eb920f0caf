package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.listener.Fate.End;
import java.util.Optional;
import java.util.OptionalInt;

/** The exits of exec'd processes, each once. For the thread of {@link Lives}. */
final class Execs {

    private record Key(ContainerKey container, String id, long pid) {
        private static Key of(TaskExit exit) {
            return new Key(exit.container(), exit.id(), exit.pid());
        }
    }

    private final BoundedMap<Key, Fate> fates = new BoundedMap<>(KnownLives.REMEMBERED);

    /** An exit that was published before. */
    void remember(TaskExit exit, Fate fate) {
        fates.put(Key.of(exit), fate);
    }

    /** containerd reported an exit at {@code nanoTime}; what is to be published of it. */
    Optional<End> ended(TaskExit exit, long nanoTime) {
        End end = new End(exit, OptionalInt.empty(), false, ExitSource.CONTAINERD, nanoTime);
        Fate.Step step = fates.getOrDefault(Key.of(exit), new Fate.Open()).after(end, false, 0);
        fates.put(Key.of(exit), step.next());
        return step.published();
    }
}
