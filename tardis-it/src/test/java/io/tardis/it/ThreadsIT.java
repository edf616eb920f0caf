package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.jdi.ArrayType;
import com.sun.jdi.Bootstrap;
import com.sun.jdi.ObjectReference;
import com.sun.jdi.ThreadReference;
import com.sun.jdi.VMDisconnectedException;
import com.sun.jdi.VirtualMachine;
import com.sun.jdi.connect.AttachingConnector;
import com.sun.jdi.connect.Connector;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** A thread of the daemon dies, or none can be made. */
@RequiresContainers
@Execution(ExecutionMode.CONCURRENT)
class ThreadsIT {

    private static final Duration BOUND = Duration.ofSeconds(20);

    /** What a daemon must have lived for, for another one to follow it. */
    private static final Duration LEAST_LIFE = Duration.ofSeconds(11);

    /** More than the threads that are there for launchers from the start. */
    private static final int SILENT_LAUNCHERS = 6;

    private static final String DEBUGGED =
            "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:0";

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    @Timeout(300)
    void afterADaemonThatDiesComesAnotherOneWithAllOpenLives() {
        lab.expectErrors();
        TardisNode node = lab.tardis().with("TARDIS_JAVA_OPTS", DEBUGGED);
        Container one = lab.container("one").enabled();
        Container two = lab.container("two").enabled();
        Container three = lab.container("three").enabled();
        try (LiveProcess _ = node.startDaemon()) {
            one.startEndingWith(3);
            two.startEndingWith(4);
            three.startEndingWith(5);

            awaitSuccessor(node, "a dead thread", it -> it.kill("tardis-listener-publisher"));
            node.awaitReceiving(lab.container("probe"));
            one.end();
            node.awaitCode(one, 3, SOON);

            awaitSuccessor(node, "a full heap", JavaDebugger::takeAllMemory);
            node.awaitReceiving(lab.container("probe"));
            two.end();
            node.awaitCode(two, 4, SOON);

            // As where somebody has cut a file that SQLite maps.
            Proc failing = node.runningDaemon();
            awaitSuccessor(node, "a fault of the JVM", _ -> failing.signal("BUS"));
            node.awaitReceiving(lab.container("probe"));
            three.end();
            node.awaitCode(three, 5, SOON);
        }
        assertThat(node.log())
                .contains("the thread tardis-listener-publisher died", "had no memory left");
        assertThat(one.remove()).isEqualTo(3);
        assertThat(two.remove()).isEqualTo(4);
        assertThat(three.remove()).isEqualTo(5);
    }

    private interface Harm {
        void doTo(JavaDebugger daemon);
    }

    private static void awaitSuccessor(TardisNode node, String what, Harm harm) {
        Proc failing = node.runningDaemon();
        Instant old = Instant.now().plus(LEAST_LIFE);
        Wait.until("age of " + failing, SOON, () -> Instant.now().isAfter(old));
        Instant begin;
        try (JavaDebugger debugger = JavaDebugger.attach(node, failing)) {
            begin = Instant.now();
            harm.doTo(debugger);
        }
        Wait.until(
                () -> "other daemon than " + failing + "; log:\n" + node.log(),
                SOON,
                () -> node.daemon().filter(it -> !it.equals(failing)).isPresent());
        node.awaitDaemon();
        System.out.printf(
                "after %s: another daemon answers after %d ms%n",
                what, Duration.between(begin, Instant.now()).toMillis());
    }

    @ContainerTest
    @Timeout(300)
    void containersRunAndNoExitIsLostWhileNoThreadCanBeMade() throws IOException {
        lab.expectErrors();
        Container good = lab.container("good").enabled();
        Container during = lab.container("during").enabled();
        good.startEndingWith(5);
        TardisNode node = lab.tardis();
        node.awaitDaemon();
        Proc daemon = node.runningDaemon();
        List<SocketChannel> silent = new ArrayList<>();
        try (PidsCgroup cgroup = new PidsCgroup(lab.scratch().root(), daemon)) {
            cgroup.allowNoMore();
            node.sources().forEach(it -> it.signal("KILL"));
            for (int i = 0; i < SILENT_LAUNCHERS; i++) {
                silent.add(SocketChannel.open(UnixDomainSocketAddress.of(node.socket())));
            }
            Instant begin = Instant.now();

            assertThat(during.sh("exit 3").code()).isEqualTo(3);

            assertThat(Duration.between(begin, Instant.now())).isLessThan(BOUND);
            good.end();
            awaitLog(node, "no thread can be made now");
            awaitLog(node, "the event source cannot be started");
            assertThat(node.runningDaemon()).isEqualTo(daemon);
        } finally {
            for (SocketChannel launcher : silent) {
                launcher.close();
            }
        }

        Wait.until("event source", SOON, () -> !node.sources().isEmpty());
        node.awaitCode(good, 5, SOON);
        // No event source ran when it ended: its code is known only if a thread was free in time.
        node.awaitCodeOrLoss(during, 3);
        assertThat(good.remove()).isEqualTo(5);
        Container next = lab.container("next").enabled();
        assertThat(next.run("/bin/true").code()).isEqualTo(0);
        assertThat(node.isCleaned(next)).isTrue();
        assertThat(node.runningDaemon()).isEqualTo(daemon);
    }

    private static void awaitLog(TardisNode node, String text) {
        Wait.until(
                () -> "'" + text + "' in the log:\n" + node.log(),
                SOON,
                () -> node.log().contains(text));
    }

    /** Limits the threads and processes of a process, and of what it starts. */
    private static final class PidsCgroup implements AutoCloseable {

        private static final Path V2 = Path.of("/sys/fs/cgroup");
        private static final Path V1 = V2.resolve("pids");

        private final Path own;
        private final Path before;

        PidsCgroup(Path unique, Proc process) throws IOException {
            Path root = Files.isDirectory(V1) ? V1 : V2;
            String controller = root.equals(V1) ? "pids" : "";
            before =
                    Files.readAllLines(Path.of("/proc/" + process.pid() + "/cgroup")).stream()
                            .map(line -> line.split(":", 3))
                            .filter(fields -> fields[1].equals(controller))
                            .map(fields -> root.resolve(fields[2].substring(1)))
                            .findFirst()
                            .orElseThrow();
            own = Files.createDirectory(root.resolve(unique.getFileName() + "-pids"));
            Files.writeString(own.resolve("cgroup.procs"), Long.toString(process.pid()));
        }

        void allowNoMore() throws IOException {
            Files.writeString(
                    own.resolve("pids.max"), Files.readString(own.resolve("pids.current")));
        }

        /** Gives its processes back to where the first of them was, new ones too. */
        @Override
        public void close() throws IOException {
            Files.writeString(own.resolve("pids.max"), "max");
            Wait.until("end of the cgroup " + own, SOON, this::isLeft);
        }

        private boolean isLeft() {
            try {
                for (String pid : Files.readAllLines(own.resolve("cgroup.procs"))) {
                    Files.writeString(before.resolve("cgroup.procs"), pid);
                }
                return Files.deleteIfExists(own);
            } catch (IOException e) {
                return false; // a process has just begun or ended
            }
        }
    }

    /** Does to a JVM what nothing but a fault in it could. */
    private static final class JavaDebugger implements AutoCloseable {

        private final VirtualMachine vm;

        private JavaDebugger(VirtualMachine vm) {
            this.vm = vm;
        }

        static JavaDebugger attach(TardisNode node, Proc jvm) {
            try {
                AttachingConnector connector =
                        Bootstrap.virtualMachineManager().attachingConnectors().stream()
                                .filter(it -> it.name().equals("com.sun.jdi.SocketAttach"))
                                .findFirst()
                                .orElseThrow();
                Map<String, Connector.Argument> arguments = connector.defaultArguments();
                Objects.requireNonNull(arguments.get("hostname")).setValue("127.0.0.1");
                Objects.requireNonNull(arguments.get("port"))
                        .setValue(Integer.toString(port(node, jvm)));
                return new JavaDebugger(connector.attach(arguments));
            } catch (Exception e) {
                throw new AssertionError("no debugger for " + jvm, e);
            }
        }

        /** The port on which it listens and that is none of Tardis's. */
        private static int port(TardisNode node, Proc jvm) throws IOException {
            String known =
                    node.setting("TARDIS_EVENTS_ENDPOINT")
                            + " "
                            + node.setting("TARDIS_QUERY_ENDPOINT")
                            + " ";
            return Files.readAllLines(Path.of("/proc/" + jvm.pid() + "/net/tcp")).stream()
                    .skip(1)
                    .map(line -> line.strip().split(" +"))
                    .filter(fields -> fields[3].equals("0A")) // it listens
                    .filter(fields -> jvm.descriptors().containsValue("socket:[" + fields[9] + "]"))
                    .map(fields -> Integer.parseInt(fields[1].split(":", 2)[1], 16))
                    .filter(port -> !known.contains(":" + port + " "))
                    .findFirst()
                    .orElseThrow();
        }

        /** Has a thread end with an error that nobody catches. */
        void kill(String name) {
            try {
                // One that the JVM keeps for the day when it can make none.
                ObjectReference error =
                        vm.classesByName("java.lang.OutOfMemoryError")
                                .getFirst()
                                .instances(1)
                                .getFirst();
                ThreadReference thread =
                        vm.allThreads().stream()
                                .filter(it -> it.name().equals(name))
                                .findFirst()
                                .orElseThrow();
                thread.stop(error);
            } catch (Exception e) {
                throw new AssertionError("the thread " + name + " cannot be killed", e);
            }
        }

        void takeAllMemory() {
            try {
                ArrayType bytes = (ArrayType) vm.classesByName("byte[]").getFirst();
                ObjectReference _ = bytes.newInstance(Integer.MAX_VALUE - 8);
            } catch (VMDisconnectedException _) {
                // It ends at once.
            }
        }

        @Override
        public void close() {
            try {
                vm.dispose();
            } catch (VMDisconnectedException _) {
                // It has ended.
            }
        }
    }
}
