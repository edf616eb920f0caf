package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tardis.core.SetupException;
import io.tardis.core.config.Access;
import io.tardis.core.config.Limits;
import io.tardis.core.config.RecordScope;
import io.tardis.core.config.Settings;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.figures.Meter;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.zmq.ZmqContext;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The whole listener, between a script that stands in for {@code ctr events} and real sockets.
 *
 * <p>The script prints unreadable lines until the file {@code go} is there: a subscriber that
 * receives such a gap misses nothing of what follows.
 */
@Timeout(60)
class ListenerTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");

    @TempDir private Path stateDir;
    private ZmqContext context;
    private FakeStore store;
    private InstanceLock lock;
    private ContainerRegistry registry;
    private Path go;
    private Path lines;
    private String endpoint;

    @BeforeEach
    void prepare() throws Exception {
        context = new ZmqContext(_ -> {});
        store = new FakeStore(context);
        lock = InstanceLock.take(stateDir);
        registry = new ContainerRegistry(stateDir.resolve("containers"));
        go = stateDir.resolve("go");
        lines = stateDir.resolve("lines");
        endpoint = "tcp://127.0.0.1:" + freePort();
    }

    /** Would hang if a socket were left open. */
    @AfterEach
    void closeContext() {
        store.close();
        context.close();
        lock.close();
    }

    @Test
    void publishesWhatTheSourceReportsInsideAndOutside() throws Exception {
        Files.write(
                lines, List.of(CtrLines.exit("tc", 100, 42), CtrLines.exit("tc", "shell", 101, 1)));
        try (Listener listener = bind();
                Listening inside = new Listening(context, Listener.ENDPOINT, "");
                Listening outside = new Listening(context, endpoint, "")) {
            listener.start();
            goOnceReceivedBy(inside, outside);

            for (Listening it : List.of(inside, outside)) {
                Listening.Received exit = it.nextExit();
                assertThat(exit.topic()).isEqualTo("/tasks/exit/default/tc/");
                assertThat(exit.event().exit().exitStatus()).isEqualTo(42);
                Listening.Received exec = it.nextExit();
                assertThat(exec.topic()).isEqualTo("/tasks/exec-exit/default/tc/shell/");
                assertThat(exec.event().seq()).isEqualTo(exit.event().seq() + 1);
            }
        }
    }

    @Test
    void letsASubscriberAskForOneContainer() throws Exception {
        Files.write(
                lines,
                List.of(
                        CtrLines.exit("tc2", 1, 2),
                        CtrLines.exit("tc", "tc2", 3, 1),
                        CtrLines.exit("tc", 2, 1)));
        try (Listener listener = bind();
                Listening all = new Listening(context, Listener.ENDPOINT, "");
                Listening one =
                        new Listening(context, Listener.ENDPOINT, "/tasks/exit/default/tc/")) {
            listener.start();
            goOnceReceivedBy(all);

            assertThat(one.next().event().exit().pid()).isEqualTo(2);
        }
    }

    @Test
    void numbersTenThousandExitsWithoutHolesAndGoesOnAfterARestart() throws Exception {
        List<String> many = new ArrayList<>();
        for (int i = 1; i <= 10_000; i++) {
            many.add(CtrLines.exit("c" + i, i, i % 256));
        }
        Files.write(lines, many);
        long last = 0;
        for (int run = 0; run < 2; run++) {
            Files.deleteIfExists(go);
            try (Listener listener = bindAgain();
                    Listening inside = new Listening(context, Listener.ENDPOINT, "")) {
                listener.start();
                goOnceReceivedBy(inside);
                for (int i = 1; i <= 10_000; i++) {
                    ExitEvent event = inside.nextExit().event();
                    assertThat(event.exit().pid()).isEqualTo(i);
                    assertThat(event.seq()).isEqualTo(last == 0 ? event.seq() : last + 1);
                    last = event.seq();
                }
            }
        }
    }

    @Test
    void marksWhatContainerdAssumesAfterAForcedDelete() throws Exception {
        Instant before = Instant.parse("2026-11-23T02:00:00Z");
        Life forced =
                register(TC, stateDir, before)
                        .withInit(new InitProcess(100, OptionalLong.of(1)))
                        .withForceDeleted();
        registry.update(forced);
        register(new ContainerKey("default", "sound"), stateDir, before);
        Files.write(
                lines, List.of(CtrLines.exit("tc", 100, 137), CtrLines.exit("sound", 200, 137)));
        try (Listener listener = bind();
                Listening inside = new Listening(context, Listener.ENDPOINT, "")) {
            listener.start();
            goOnceReceivedBy(inside);

            assertThat(inside.nextExit().event().source()).isEqualTo(ExitSource.ASSUMED);
            assertThat(inside.nextExit().event().source()).isEqualTo(ExitSource.CONTAINERD);
        }
    }

    @Test
    void takesTheImageFromContainerdWhereTheBundleNamesNone() throws Exception {
        Path bundle = Files.createDirectory(stateDir.resolve("bundle"));
        Files.writeString(
                bundle.resolve("config.json"),
                "{\"annotations\":{\"io.kubernetes.cri.image-name\":\"nginx:1\"}}");
        Files.write(
                lines,
                List.of(
                        CtrLines.container("tc", "docker.io/library/busybox:\\u001b1"),
                        CtrLines.create("tc", stateDir + "/none", 100),
                        CtrLines.exit("tc", 100, 0),
                        CtrLines.container("named", "docker.io/library/busybox:1"),
                        CtrLines.create("named", bundle.toString(), 101),
                        CtrLines.exit("named", 101, 0)));
        try (Listener listener = bind(settings(script(), RecordScope.ALL));
                Listening inside = new Listening(context, Listener.ENDPOINT, "")) {
            listener.start();
            goOnceReceivedBy(inside);

            assertThat(inside.nextExit().event().details().about().image())
                    .hasValue("docker.io/library/busybox:?1");
            assertThat(inside.nextExit().event().details().about().image()).hasValue("nginx:1");
        }
    }

    @Test
    void marksAnOutOfMemoryKillBetweenStartAndExit() throws Exception {
        Files.write(
                lines,
                List.of(
                        CtrLines.start("tc", 100),
                        CtrLines.oom("tc"),
                        CtrLines.exit("tc", 100, 137)));
        try (Listener listener = bind();
                Listening inside = new Listening(context, Listener.ENDPOINT, "")) {
            listener.start();
            goOnceReceivedBy(inside);

            assertThat(inside.nextExit().event().oomKilled()).isTrue();
        }
    }

    @Test
    void publishesAGapWhenTheSourceEnds() throws Exception {
        Settings settings = settings(List.of("/bin/sh", "-c", "echo no containerd >&2; exit 1"));
        try (Listener listener = bind(settings);
                Listening inside = new Listening(context, Listener.ENDPOINT, "/tardis/gap/")) {
            listener.start();

            assertThat(new String(inside.next().payload(), StandardCharsets.UTF_8))
                    .contains("ended with 1: no containerd");
        }
    }

    /** What opens a door for containers afterwards can be sure that their events are received. */
    @Test
    void hasStartedTheSourceWhenItIsStarted() throws Exception {
        Settings settings = settings(List.of("/bin/sh", "-c", "exec sleep 60"));
        Inbox inbox = new Inbox();
        EventSource source = new EventSource(settings.ctrCommand(), inbox, InstantSource.system());
        try (Listener listener = bind(settings, inbox, source)) {
            listener.start();

            assertThat(source.health().starts()).isEqualTo(1);
        }
    }

    /** As after a restore, for which containerd calls no start. */
    @Test
    void publishesTheKernelsReportOfALifeWhoseStartOnlyContainerdReports() throws Exception {
        Process process = new ProcessBuilder("sh", "-c", "read line; exit 3").start();
        register(TC, stateDir, Instant.EPOCH);
        Files.write(lines, List.of(CtrLines.startNow("tc", process.pid())));
        try (Listener listener = bind();
                Listening inside = new Listening(context, Listener.ENDPOINT, "")) {
            assumeTrue(listener.witness().on(), "this kernel does not report how processes end");
            listener.start();
            goOnceReceivedBy(inside);
            await().until(() -> isWatching(listener));

            process.outputWriter().append("\n").close();

            ExitEvent event = inside.nextExit().event();
            assertThat(event.exit().exitStatus()).isEqualTo(3);
            assertThat(event.source()).isEqualTo(ExitSource.KERNEL);
        } finally {
            process.destroyForcibly();
        }
    }

    /** Left by a daemon that was killed. */
    @Test
    void looksAfterLivesThatWereThereBeforeTheFirstListener() throws Exception {
        InitProcess gone = new InitProcess(ProcessHandle.current().pid(), OptionalLong.of(1));
        registry.update(register(TC, stateDir, Instant.EPOCH).withInit(gone));
        try (Listener listener = bind(settings(List.of("/bin/sh", "-c", "exec sleep 60")))) {
            listener.start();

            await().untilAsserted(() -> assertThat(store.asked()).contains(TC));
        }
    }

    /** Earlier versions kept a life that had ended. */
    @Test
    void asksForLivesThatWereOverBeforeTheFirstListener() throws Exception {
        registry.update(
                register(TC, stateDir, Instant.EPOCH)
                        .withInit(new InitProcess(100, OptionalLong.of(1))));
        Path directory = stateDir.resolve("containers/default/tc");
        Files.move(directory.resolve("life.json"), directory.resolve("last-life.json"));
        registry = new ContainerRegistry(stateDir.resolve("containers"));
        try (Listener listener = bind(settings(List.of("/bin/sh", "-c", "exec sleep 60")))) {
            listener.start();

            await().untilAsserted(() -> assertThat(store.asked()).contains(TC));
        }
    }

    /** A container may end as soon as the daemon can be reached. */
    @Test
    void watchesTheLivesThatWereThereWhenItHasStarted() throws Exception {
        Process process = new ProcessBuilder("sh", "-c", "read line; exit 3").start();
        registry.update(
                register(TC, stateDir, Instant.EPOCH).withInit(InitProcess.of(process.pid())));
        try (Listener listener = bind(settings(List.of("/bin/sh", "-c", "exec sleep 60")));
                Listening inside = new Listening(context, Listener.ENDPOINT, "/tasks/exit/")) {
            assumeTrue(listener.witness().on(), "this kernel does not report how processes end");
            listener.start();

            assertThat(isWatching(listener)).isTrue();
            process.outputWriter().append("\n").close();
            assertThat(inside.nextExit().event().exit().exitStatus()).isEqualTo(3);
        } finally {
            process.destroyForcibly();
        }
    }

    /** Taking over, the source receives before anything is published. */
    @Test
    void startsWithAnInboxThatIsFull() throws InterruptedException {
        bind().close(); // so that there is a gap to publish
        Settings settings = settings(List.of("/bin/sh", "-c", "exec sleep 60"));
        Inbox inbox = new Inbox();
        EventSource source = new EventSource(settings.ctrCommand(), inbox, InstantSource.system());
        Inbox.Signal line = new Inbox.Signal.Read(new CtrEvent.Oom(TC));
        while (inbox.offer(line, Duration.ZERO)) {}
        try (Listener listener = bindAgain(settings, inbox, source);
                Listening inside = new Listening(context, Listener.ENDPOINT, "/tardis/gap/")) {
            listener.start();

            assertThat(new String(inside.next().payload(), StandardCharsets.UTF_8))
                    .contains("no listener was running");
        }
    }

    @Test
    void namesTheEndpointThatIsTaken() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            endpoint = "tcp://127.0.0.1:" + taken.getLocalPort();

            assertThatThrownBy(this::bind)
                    .isInstanceOf(SetupException.class)
                    .hasMessageContaining(endpoint);
        }
        bindAgain().close();
    }

    @Test
    void namesAnEndpointThatIsNone() {
        endpoint = "tcp://nowhere";

        assertThatThrownBy(this::bind)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(endpoint);
    }

    /** As when a later part of the daemon fails to start. */
    @Test
    void givesEverythingBackThoughItWasNeverStarted() {
        bind().close();

        bindAgain().close();
    }

    @Test
    void mayBeClosedTwice() throws Exception {
        Listener listener = bind();
        listener.start();
        listener.close();
        listener.close();
        bindAgain().close();
    }

    @Test
    void knowsThatAnEndIsReportedFromTheReapingOn() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("sleep", "60").start();
        Life life = register(TC, stateDir, Instant.EPOCH).withInit(InitProcess.of(process.pid()));
        try (Listener listener = bind()) {
            listener.started(life);
            assertThat(listener.isEndKnown(life)).isFalse();

            process.destroyForcibly().waitFor();

            // Where the kernel does not report it, containerd's report is still to come.
            assertThat(listener.isEndKnown(life)).isEqualTo(listener.witness().on());
        } finally {
            process.destroyForcibly();
        }
    }

    private boolean isWatching(Listener listener) {
        Life life = registry.open(TC).orElseThrow();
        return listener.witnesses.isWatching(life);
    }

    /** JeroMQ frees an address a moment after its socket was closed. */
    private Listener bindAgain() {
        return await().ignoreExceptions().until(this::bind, it -> true);
    }

    private Listener bindAgain(Settings settings, Inbox inbox, EventSource source) {
        return await().ignoreExceptions().until(() -> bind(settings, inbox, source), it -> true);
    }

    private Listener bind() {
        return bind(settings(script()));
    }

    private List<String> script() {
        String script =
                "while [ ! -e %1$s/go ]; do echo probe; sleep 0.05; done; cat %1$s/lines; exec sleep 60"
                        .formatted(stateDir);
        return List.of("/bin/sh", "-c", script);
    }

    private Listener bind(Settings settings) {
        Inbox inbox = new Inbox();
        return bind(
                settings,
                inbox,
                new EventSource(settings.ctrCommand(), inbox, InstantSource.system()));
    }

    private Listener bind(Settings settings, Inbox inbox, EventSource source) {
        return new Listener(
                settings,
                lock,
                inbox,
                source,
                context,
                registry,
                FakeStore.ENDPOINT,
                InstantSource.system(),
                new Meter());
    }

    private void goOnceReceivedBy(Listening... subscribers) throws IOException {
        for (Listening subscriber : subscribers) {
            subscriber.next("/tardis/gap/");
        }
        Files.createFile(go);
    }

    private Settings settings(List<String> ctrCommand) {
        return settings(ctrCommand, RecordScope.ENABLED);
    }

    private Settings settings(List<String> ctrCommand, RecordScope record) {
        return new Settings(
                stateDir,
                stateDir,
                stateDir.resolve("checkpoint"),
                stateDir.resolve("tardis.log"),
                "INFO",
                Optional.empty(),
                ctrCommand,
                endpoint,
                "tcp://127.0.0.1:1",
                Optional.empty(),
                record,
                Duration.ofDays(30),
                Duration.ofDays(1),
                Duration.ofSeconds(1),
                true,
                Access.DEFAULT,
                Optional.empty(),
                Limits.DEFAULT);
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private Life register(ContainerKey container, Path bundle, Instant at) throws IOException {
        Life life = Life.of(UUID.randomUUID().toString(), container, at, bundle);
        registry.register(life);
        return life;
    }
}
