package io.tardis.store;

import io.tardis.core.config.Settings;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.figures.Meter;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Backlog;
import io.tardis.core.wire.Published;
import io.tardis.core.wire.PublishedCodec;
import io.tardis.core.wire.Topic;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * A recorder that is given as many exits as its second argument says, with names as long as they
 * can be, on a disk that takes none; as many may wait as can be set. Prints what became of them.
 */
final class FloodedRecorder {

    private static final String EVENTS = "inproc://events";
    private static final int MOST_THAT_CAN_BE_SET = 1_000_000;

    private FloodedRecorder() {}

    public static void main(String[] arguments) {
        Path directory = Path.of(arguments[0]);
        int count = Integer.parseInt(arguments[1]);
        Thread.setDefaultUncaughtExceptionHandler((_, e) -> {
            System.out.println("died: " + e);
            Runtime.getRuntime().halt(1);
        });
        InMemoryExitLog log = new InMemoryExitLog();
        log.failsToWrite = true;
        LifeCache lives = new LifeCache(log);
        Settings settings = TestSettings.of(directory, "tcp://127.0.0.1:1");
        Unwritten unwritten =
                new Unwritten(
                        MOST_THAT_CAN_BE_SET,
                        Runtime.getRuntime().maxMemory() / Store.UNWRITTEN_PART);
        try (ZmqContext context = new ZmqContext(_ -> {});
                ZmqPublisher publisher = context.publisher(List.of(EVENTS));
                ExitRecorder recorder =
                        new ExitRecorder(
                                context.subscriber(EVENTS, List.of(Topic.EXIT)),
                                log,
                                lives,
                                unwritten,
                                _ -> {},
                                settings,
                                InstantSource.system(),
                                new Meter())) {
            recorder.start();
            for (int seq = 1; seq <= count; seq++) {
                Published exit =
                        new Published.Exit(
                                Exits.ofLife(
                                        Exits.life(life(seq), seq),
                                        Exits.exit(seq, container(seq), seq, 7)));
                publisher.send(PublishedCodec.topic(exit), PublishedCodec.encode(exit));
            }
            Backlog backlog = unwritten.backlog();
            while (backlog.unwritten() + backlog.dropped() < count) {
                LockSupport.parkNanos(1_000_000);
                backlog = unwritten.backlog();
            }
            System.out.println(
                    "kept "
                            + backlog.unwritten()
                            + ", given up "
                            + backlog.dropped()
                            + ", the first "
                            + fate(lives, 1)
                            + ", the last "
                            + fate(lives, count));
        }
    }

    private static String fate(LifeCache lives, int seq) {
        return lives.answer(container(seq), Optional.empty()) instanceof Answer.Exited
                ? "kept"
                : "given up";
    }

    private static String life(int seq) {
        return String.format(Locale.ROOT, "%076d", seq);
    }

    private static ContainerKey container(int seq) {
        return new ContainerKey("n".repeat(76), life(seq));
    }
}
