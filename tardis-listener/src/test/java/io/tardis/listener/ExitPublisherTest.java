package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.figures.CodeClass;
import io.tardis.core.figures.Figures;
import io.tardis.core.figures.Meter;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Published;
import io.tardis.core.zmq.ZmqContext;
import io.tardis.core.zmq.ZmqPublisher;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.HandClock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.event.Level;

@Timeout(60)
class ExitPublisherTest {

    private static final String ENDPOINT = "inproc://events";
    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Instant AT = Instant.parse("2025-04-04T19:10:59.78307293Z");

    @TempDir private Path stateDir;
    private final HandClock clock = new HandClock();
    private final Inbox inbox = new Inbox();
    private ZmqContext context;
    private ExitSequence sequence;
    private ExitPublisher publisher;
    private Listening subscriber;
    private long first;
    private final FakeWitness witness = new FakeWitness();
    private final FakeNode node = new FakeNode();

    /** Knows of one end at the most, by the number 1. */
    private static final class FakeWitness implements Witness {
        private final AtomicReference<@Nullable Ended> end = new AtomicReference<>();

        @Override
        public Optional<Ended> take(long number) {
            return number == 1 ? Optional.ofNullable(end.getAndSet(null)) : Optional.empty();
        }

        @Override
        public Optional<Ended> take(ContainerKey container, long pid) {
            return Optional.ofNullable(end.get())
                    .filter(it -> it.life().init().orElseThrow().pid() == pid)
                    .flatMap(_ -> take(1));
        }
    }

    private final Meter meter = new Meter();

    @BeforeEach
    void bindAndSubscribe() {
        context = new ZmqContext(_ -> {});
        ZmqPublisher socket = context.publisher(List.of(ENDPOINT));
        subscriber = new Listening(context, ENDPOINT, "");
        sequence = ExitSequence.open(stateDir, clock);
        first = sequence.last() + 1;
        publisher =
                new ExitPublisher(
                        socket,
                        inbox,
                        sequence,
                        Optional.of(witness),
                        new LifeChecker(
                                _ -> false,
                                () -> {},
                                _ -> {},
                                _ -> {},
                                () -> {},
                                Duration.ofHours(1)),
                        false,
                        node,
                        () -> true,
                        clock,
                        meter);
    }

    @AfterEach
    void close() {
        publisher.close();
        subscriber.close();
        sequence.close();
        context.close();
    }

    @Test
    void asksTheKernelWhenContainerdReportsAnExit() {
        Life life = life(100);
        witness.end.set(new Witness.Ended(life, 11));
        publisher.start();

        read(new CtrEvent.Exit(new TaskExit(life.container(), "tc", 100, 139, Instant.EPOCH)));
        inbox.put(new Inbox.Signal.Reaped(1));
        read(new CtrEvent.Exit(new TaskExit(TC, "tc", 6615, 42, AT)));

        ExitEvent event = subscriber.nextExit().event();
        assertThat(event.source()).isEqualTo(ExitSource.KERNEL);
        assertThat(event.signal()).hasValue(11);
        assertThat(event.seq()).isEqualTo(first);
        assertThat(subscriber.nextExit().event().exit().pid()).as("published once").isEqualTo(6615);
    }

    @Test
    void publishesAnEndThatTheWitnessReports() {
        witness.end.set(new Witness.Ended(life(100), 7 << 8));
        publisher.start();

        inbox.put(new Inbox.Signal.Reaped(1));

        ExitEvent event = subscriber.nextExit().event();
        assertThat(event.exit().exitStatus()).isEqualTo(7);
        assertThat(event.source()).isEqualTo(ExitSource.KERNEL);
    }

    /** The wait in the inbox counts, too. */
    @Test
    void measuresFromTheReportOfAnEnd() {
        witness.end.set(new Witness.Ended(life(100), 7 << 8));
        long before = System.nanoTime();
        inbox.put(new Inbox.Signal.Reaped(1));
        long after = System.nanoTime();

        publisher.start();

        long seq = subscriber.nextExit().event().seq();
        assertThat(meter.reportOf(seq)).isBetween(before, after);
        assertThat(meter.read(0, 0, 0).witnessToPublish().count()).isEqualTo(1);
    }

    @Test
    void countsWhatItPublishes() {
        publisher.start();
        read(new CtrEvent.Exit(new TaskExit(TC, "tc", 6615, 42, AT)));
        read(new CtrEvent.Exit(new TaskExit(TC, "exec", 6616, 0, AT)));
        inbox.put(new Inbox.Signal.Missed(AT, "a test"));
        inbox.put(new Inbox.Signal.OfLife(it -> it.started(life(100))));
        inbox.put(new Inbox.Signal.OfLife(it -> it.lost(life(100))));
        publisher.stop();

        Figures figures = meter.read(0, 0, 0);
        assertThat(figures.exits())
                .containsExactly(
                        new Figures.Exits(
                                "default", CodeClass.ERROR, false, ExitSource.CONTAINERD, 1));
        assertThat(figures.execExits()).isEqualTo(1);
        assertThat(figures.gaps()).isEqualTo(1);
        assertThat(figures.witnessToPublish().count()).isZero();
    }

    /**
     * As in {@code tardis_exits_total}: an end with the labels that it was published with first.
     */
    @Test
    void countsAnEndOnceThoughItIsCorrected() {
        publisher.start();
        read(new CtrEvent.Exit(new TaskExit(TC, "tc", 6615, 137, AT)));
        read(new CtrEvent.Oom(TC)); // late
        ContainerKey assumed = new ContainerKey("default", "assumed");
        read(new CtrEvent.TaskProcess(assumed, Path.of(""), 2, AT, true));
        read(new CtrEvent.Exit(new TaskExit(assumed, "assumed", 0, 255, AT)));
        read(new CtrEvent.Exit(new TaskExit(assumed, "assumed", 2, 3, AT)));
        publisher.stop();

        for (int i = 0; i < 4; i++) {
            meter.recorded(meter.reportOf(seq()));
        }
        Figures figures = meter.read(0, 0, 0);
        assertThat(figures.exits())
                .extracting(Figures.Exits::oomKilled, Figures.Exits::source, Figures.Exits::count)
                .containsExactlyInAnyOrder(
                        tuple(false, ExitSource.CONTAINERD, 1L),
                        tuple(false, ExitSource.ASSUMED, 1L));
        assertThat(figures.corrections()).isEqualTo(2);
        assertThat(figures.eventToDisk().count()).isEqualTo(2);
    }

    @Test
    void publishesAContainersExitAsProtocolSays() {
        publisher.start();
        read(new CtrEvent.Exit(new TaskExit(TC, "tc", 6615, 42, AT)));

        Listening.Received received = subscriber.nextExit();

        assertThat(received.topic()).isEqualTo("/tasks/exit/default/tc/");
        assertThat(text(received.payload()))
                .isEqualTo(
                        """
                        {"v":1,"seq":%d,"topic":"/tasks/exit","namespace":"default","container_id":"tc","id":"tc",\
                        "pid":6615,"exit_status":42,"oom_killed":false,"exited_at":"2025-04-04T19:10:59.78307293Z",\
                        "source":"containerd","life":"%s","created_at":"2025-04-04T19:10:59.78307293Z","kept":false}\
                        """
                                .formatted(first, received.event().life().orElseThrow().id()));
    }

    @Test
    void publishesAnExecsExitUnderItsOwnTopic() {
        publisher.start();
        read(new CtrEvent.Exit(new TaskExit(TC, "shell", 6616, 0, AT)));

        Listening.Received received = subscriber.nextExit();

        assertThat(received.topic()).isEqualTo("/tasks/exec-exit/default/tc/shell/");
        assertThat(text(received.payload()))
                .contains(
                        "\"topic\":\"/tasks/exec-exit\"", "\"id\":\"shell\"", "\"exit_status\":0");
    }

    @Test
    void numbersWhatItPublishesWithoutHoles() {
        publisher.start();
        read(exit("a", 1));
        read(exit("a", 1)); // twice
        read(new CtrEvent.Malformed("no exit"));
        read(new CtrEvent.Exit(new TaskExit(TC, "shell", 6616, 0, AT)));
        read(
                new CtrEvent.Exit(
                        new TaskExit(
                                new ContainerKey("default", "a"), "a", 1, 0, AT))); // once more
        read(exit("b", 2));

        assertThat(List.of(seq(), seq(), seq())).containsExactly(first, first + 1, first + 2);
    }

    @Test
    void marksOutOfMemoryAndAssumedCodes() {
        publisher.start();
        read(new CtrEvent.Oom(TC));
        read(new CtrEvent.Exit(new TaskExit(TC, "tc", 1, 137, AT)));
        read(new CtrEvent.TaskProcess(TC, Path.of(""), 2, AT.plusSeconds(60), true));
        read(new CtrEvent.Exit(new TaskExit(TC, "tc", 0, 255, AT.plusSeconds(60))));

        assertThat(subscriber.nextExit().event().oomKilled()).isTrue();
        assertThat(subscriber.nextExit().event())
                .satisfies(it -> assertThat(it.oomKilled()).isFalse())
                .satisfies(it -> assertThat(it.source()).isEqualTo(ExitSource.ASSUMED));
    }

    @Test
    void publishesTheLastNumberWithAHeartbeatAtOnce() {
        long last = sequence.next();
        publisher.start();

        Listening.Received received = subscriber.next();

        assertThat(received.topic()).isEqualTo("/tardis/heartbeat/");
        assertThat(received.published()).isEqualTo(new Published.Heartbeat(last, clock.instant()));
    }

    @Test
    void repeatsTheHeartbeat() {
        publisher.start();
        assertThat(subscriber.next("/tardis/heartbeat/").published())
                .isEqualTo(new Published.Heartbeat(first - 1, clock.instant()));
        read(exit("a", 1));

        assertThat(subscriber.next("/tardis/heartbeat/").published())
                .isEqualTo(new Published.Heartbeat(first, clock.instant()));
    }

    @Test
    void publishesAGap() {
        publisher.start();
        read(exit("a", 1));
        Instant from = clock.instant();
        clock.move(Duration.ofSeconds(3));
        inbox.put(new Inbox.Signal.Missed(from, "ctr ended"));

        Listening.Received received = subscriber.next("/tardis/gap/");

        assertThat(received.published())
                .isEqualTo(new Published.Gap(first, from, clock.instant(), "ctr ended"));
    }

    @Test
    void publishesNoGapThatEndsBeforeItBegan() {
        publisher.start();
        Instant from = clock.instant();
        clock.move(Duration.ofDays(-365));
        inbox.put(new Inbox.Signal.Missed(from, "ctr ended"));

        assertThat(subscriber.next("/tardis/gap/").published())
                .isEqualTo(
                        new Published.Gap(
                                first - 1, clock.instant(), clock.instant(), "ctr ended"));
    }

    @Test
    void publishesALineThatCannotBeReadAsAGap() {
        publisher.start();
        try (CapturedLog log = new CapturedLog(ExitPublisher.class)) {
            read(new CtrEvent.Malformed("the JSON is not an object"));

            assertThat(subscriber.next("/tardis/gap/").published())
                    .isInstanceOfSatisfying(
                            Published.Gap.class,
                            it -> assertThat(it.reason()).contains("the JSON is not an object"));
            assertThat(log.at(Level.WARN)).hasSize(1);
        }
    }

    @Test
    void publishesWhatIsInTheInboxBeforeItEnds() {
        for (int i = 1; i <= 10; i++) {
            read(exit("c" + i, i));
        }
        publisher.start();

        publisher.close();

        for (int i = 1; i <= 10; i++) {
            assertThat(subscriber.nextExit().event().exit().pid()).isEqualTo(i);
        }
    }

    @Test
    void endsThoughItWasNeverStarted() {
        publisher.close();
        publisher.close();
    }

    private static Life life(long pid) {
        return Life.of("1", TC, Instant.EPOCH, Path.of("/bundle"))
                .withInit(new InitProcess(pid, OptionalLong.of(1)));
    }

    private void read(CtrEvent event) {
        inbox.put(new Inbox.Signal.Read(event));
    }

    private long seq() {
        return subscriber.nextExit().event().seq();
    }

    private static CtrEvent exit(String id, long pid) {
        return new CtrEvent.Exit(new TaskExit(new ContainerKey("default", id), id, pid, 0, AT));
    }

    private static String text(byte[] payload) {
        return new String(payload, StandardCharsets.UTF_8);
    }
}
