package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The kernel itself, with processes of this JVM in the place of containers' own. */
@Timeout(60)
class KernelWitnessTest {

    private final BlockingQueue<Long> reaped = new LinkedBlockingQueue<>();
    private final List<Process> started = new ArrayList<>();
    private KernelWitness witness;

    private final List<Life> ended = new CopyOnWriteArrayList<>();

    @BeforeEach
    void open() {
        Optional<KernelWitness> opened = KernelWitness.open(ended::add, reaped::add);
        assumeTrue(
                opened.isPresent() || kernelReportsExits(),
                "this kernel does not report how processes end");
        witness = opened.orElseThrow();
        witness.start();
    }

    /**
     * Not the witness's own verdict, which may be wrong. Older kernels may report ends, too:
     * KernelWitnessIT asks them without the witness.
     */
    private static boolean kernelReportsExits() {
        String[] version = System.getProperty("os.version").split("[^0-9]", 3);
        int major = Integer.parseInt(version[0]);
        int minor = Integer.parseInt(version[1]);
        return major > 6 || (major == 6 && minor >= 15);
    }

    @AfterEach
    void close() {
        if (witness != null) {
            witness.close();
        }
        started.forEach(Process::destroyForcibly);
    }

    @Test
    void reportsAnExitCode() throws Exception {
        Process process = start("read line; exit 42");
        Life life = life("tc", process.pid());

        assertThat(witness.watch(life)).isTrue();
        end(process);

        assertThat(next()).isEqualTo(new Witness.Ended(life, 42 << 8));
        assertThat(witness.isWatching(life)).isFalse();
    }

    @Test
    void distinguishesASignalFromTheExitCodeThatLooksLikeIt() throws Exception {
        Process killed = start("read line; kill -KILL $$");
        Process exited = start("read line; exit 137");
        Life killedLife = life("killed", killed.pid());
        Life exitedLife = life("exited", exited.pid());
        witness.watch(killedLife);
        witness.watch(exitedLife);

        end(killed);
        assertThat(next()).isEqualTo(new Witness.Ended(killedLife, 9));
        end(exited);
        assertThat(next()).isEqualTo(new Witness.Ended(exitedLife, 137 << 8));
    }

    @Test
    void reportsHowAProcessOfAnotherParentEnds() throws Exception {
        Process parent = start("exec 3<&0; (read line <&3; exit 7) & echo $!; wait $!");
        long child = Long.parseLong(parent.inputReader().readLine());
        Life life = life("tc", child);

        assertThat(witness.watch(life)).isTrue();
        end(parent);

        assertThat(next()).isEqualTo(new Witness.Ended(life, 7 << 8));
    }

    @Test
    void reportsHowAZombieEndedWhenItIsReaped() throws Exception {
        // A parent that is stopped cannot reap its child.
        Process parent =
                start("exec 3<&0; (read line <&3; exit 5) & echo $!; kill -STOP $$; wait $!");
        long child = Long.parseLong(parent.inputReader().readLine());
        await().until(() -> Files.readString(stat(parent.pid())).contains(") T "));
        end(parent);
        await().until(() -> Files.readString(stat(child)).contains(") Z "));
        Life life = life("tc", child);

        assertThat(witness.watch(life)).isTrue();
        assertThat(reaped).isEmpty();
        new ProcessBuilder("kill", "-CONT", Long.toString(parent.pid())).start().waitFor();

        assertThat(next()).isEqualTo(new Witness.Ended(life, 5 << 8));
    }

    @Test
    void watchesManyAtOnceAndLeaksNothing() throws Exception {
        long before = descriptors();
        for (int round = 0; round < 3; round++) {
            List<Process> processes = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                Process process = start("read line; exit " + i);
                processes.add(process);
                assertThat(witness.watch(life("tc" + i, process.pid()))).isTrue();
            }
            for (Process process : processes) {
                end(process);
            }
            for (int i = 0; i < 100; i++) {
                Witness.Ended one = next();
                assertThat("tc" + (one.waitStatus() >> 8)).isEqualTo(one.life().container().id());
            }
            for (Process process : processes) {
                process.waitFor();
                process.getInputStream().close();
                process.getErrorStream().close();
            }
        }
        await().untilAsserted(() -> assertThat(descriptors()).isLessThanOrEqualTo(before));
    }

    @Test
    void givesAnEndOnceToWhoeverAsksByNumberOrByPid() throws Exception {
        Process process = start("read line; exit 3");
        Life life = life("tc", process.pid());
        witness.watch(life);

        assertThat(witness.take(life.container(), process.pid())).isEmpty();
        end(process);
        long number = reaped.take();
        assertThat(witness.take(life.container(), process.pid() + 1)).isEmpty();
        assertThat(witness.take(life.container(), process.pid()))
                .hasValue(new Witness.Ended(life, 3 << 8));

        assertThat(witness.take(life.container(), process.pid())).isEmpty();
        assertThat(witness.take(number)).isEmpty();
        assertThat(witness.isWatching(life)).isFalse();
    }

    @Test
    void reportsAProcessOnceThoughNobodyTakesItsEnd() throws Exception {
        Process one = start("read line; exit 1");
        Process two = start("read line; exit 2");
        Life first = life("one", one.pid());
        witness.watch(first);
        witness.watch(life("two", two.pid()));

        end(one);
        long number = reaped.take();
        end(two); // had the first one been reported again and again, it would be before this
        assertThat(next().life().container().id()).isEqualTo("two");

        assertThat(reaped).isEmpty();
        witness.stop();
        assertThat(witness.take(number)).hasValue(new Witness.Ended(first, 1 << 8));
    }

    @Test
    void watchesALifeOnce() throws Exception {
        Process one = start("read line; exit 1");
        Process two = start("read line; exit 2");
        Life life = life("one", one.pid());
        assertThat(witness.watch(life)).isTrue();
        assertThat(witness.watch(life)).isTrue();
        witness.watch(life("two", two.pid()));

        end(one);
        assertThat(next()).isEqualTo(new Witness.Ended(life, 1 << 8));
        assertThat(witness.isWatching(life)).isFalse();

        end(two); // had the first one been reported twice, it would be before this
        assertThat(next().life().container().id()).isEqualTo("two");
    }

    /**
     * The second one to ask must not be answered yes while the first one's answer is still open.
     */
    @Test
    void saysToSeveralAtOnceThatAProcessIsGone() throws Exception {
        Life life = life("tc", new InitProcess(ProcessHandle.current().pid(), OptionalLong.of(1)));
        AtomicInteger yes = new AtomicInteger();
        CyclicBarrier together = new CyclicBarrier(2);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            threads.add(
                    Thread.ofPlatform()
                            .start(() -> {
                                for (int round = 0; round < 2_000; round++) {
                                    meet(together);
                                    if (witness.watch(life)) {
                                        yes.incrementAndGet();
                                    }
                                }
                            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }

        assertThat(yes).hasValue(0);
    }

    /** By then the numbers of its descriptors may be somebody else's. */
    @Test
    void watchesNothingAfterItWasClosed() throws Exception {
        Process process = start("read line");
        Life life = life("tc", process.pid());
        witness.close();
        List<Epoll> others = new ArrayList<>();
        try {
            for (int i = 0; i < 5; i++) {
                others.add(new Epoll());
            }

            assertThat(witness.watch(life)).isFalse();
            assertThat(witness.take(life.container(), process.pid())).isEmpty();
        } finally {
            for (Epoll other : others) {
                other.close();
            }
        }
    }

    @Test
    void doesNotTakeAnotherProcessForOneWhosePidWasReused() throws Exception {
        Process process = start("read line");
        InitProcess earlier = new InitProcess(process.pid(), OptionalLong.of(1));

        assertThat(witness.watch(life("tc", earlier))).isFalse();
        assertThat(witness.watch(life("tc", new InitProcess(process.pid(), OptionalLong.empty()))))
                .isFalse();
        assertThat(witness.isWatching(life("tc", earlier))).isFalse();
    }

    /**
     * As where no descriptor is left: the kernel has no pidfd for a thread that leads no process.
     */
    @Test
    void saysThatAProcessCannotBeWatchedNow() throws IOException {
        try (Stream<Path> threads = Files.list(Path.of("/proc/self/task"))) {
            long thread =
                    threads.mapToLong(it -> Long.parseLong(it.getFileName().toString()))
                            .filter(it -> it != ProcessHandle.current().pid())
                            .findFirst()
                            .orElseThrow();

            assertThatThrownBy(() -> witness.watch(life("tc", thread)))
                    .isInstanceOf(UncheckedIOException.class);
        }
    }

    /** Held since its create: it may have been reaped before anybody knew whose it is. */
    @Test
    void knowsHowAHeldProcessEndedBeforeItWasWatched() throws Exception {
        Process process = start("read line; exit 7");
        Life life = life("tc", process.pid());
        Pidfd held = Pidfd.open(process.pid());
        end(process);
        process.waitFor();
        await().until(() -> !Files.exists(stat(process.pid())));

        assertThat(witness.watch(life, held)).isTrue();

        await().untilAsserted(() -> assertThat(ended).containsExactly(life));
        assertThat(witness.take(life.container(), process.pid()).orElseThrow().waitStatus())
                .isEqualTo(7 << 8);
    }

    @Test
    void saysThatAProcessIsGone() throws Exception {
        Process process = start("read line");
        InitProcess init = InitProcess.of(process.pid());
        end(process);
        process.waitFor();
        await().until(() -> !Files.exists(stat(process.pid())));

        assertThat(witness.watch(life("tc", init))).isFalse();
    }

    @Test
    void endsWhileItWatches() throws Exception {
        Process process = start("read line");
        witness.watch(life("tc", process.pid()));

        witness.close();
        witness.close();

        assertThat(process.isAlive()).isTrue();
    }

    private Process start(String script) throws IOException {
        Process process = new ProcessBuilder("/bin/sh", "-c", script).start();
        started.add(process);
        return process;
    }

    private static void meet(CyclicBarrier barrier) {
        try {
            barrier.await();
        } catch (InterruptedException | BrokenBarrierException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void end(Process process) throws IOException {
        process.outputWriter().append("\n").close();
    }

    private static Path stat(long pid) {
        return Path.of("/proc", Long.toString(pid), "stat");
    }

    private static Life life(String id, long pid) {
        return life(id, InitProcess.of(pid));
    }

    private static Life life(String id, InitProcess init) {
        ContainerKey container = new ContainerKey("default", id);
        return Life.of("life of " + id, container, Instant.EPOCH, Path.of("/bundle"))
                .withInit(init);
    }

    private Witness.Ended next() throws InterruptedException {
        Long number = reaped.poll(10, TimeUnit.SECONDS);
        assertThat(number).isNotNull();
        return witness.take(number).orElseThrow();
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }
}
