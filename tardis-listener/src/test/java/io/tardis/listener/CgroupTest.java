package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Usage;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Trees of files as kernels have them, and the kernel itself. */
@Timeout(60)
class CgroupTest {

    private static final long PID = 4711;
    private static final String ID =
            "3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab";
    private static final ContainerKey CONTAINER = new ContainerKey("moby", ID);
    private static final long MIB = 1 << 20;

    private static final String V2_PATH =
            "/kubepods.slice/kubepods-pod5d1f.slice/cri-containerd-" + ID + ".scope";
    private static final String V2 = "sys/fs/cgroup" + V2_PATH + "/";
    private static final String V1_PATH = "/docker/" + ID;
    private static final String V1_MEMORY = "sys/fs/cgroup/memory" + V1_PATH + "/";
    private static final String V1_CPU = "sys/fs/cgroup/cpu,cpuacct" + V1_PATH + "/";
    private static final String V1_PIDS = "sys/fs/cgroup/pids" + V1_PATH + "/";

    private static final String EVENTS =
            """
            low 0
            high 0
            max 312
            oom 3
            oom_kill 2
            oom_group_kill 5
            """;

    private static final Usage V2_USAGE =
            usage(536_608_768L, 536_870_912L, 2L, 1_904_211L, 350_118L, 17L);
    private static final Usage V1_USAGE = usage(52_428_800L, 104_857_600L, 1L, 81_234L, 7_000L, 9L);

    @TempDir Path machine;

    @BeforeEach
    void mountProc() throws IOException {
        write("proc/self/cgroup", "0::/system.slice/tardis.service\n");
        write("proc/self/mountinfo", "23 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n");
    }

    @Test
    void readsTheUnifiedHierarchy() throws IOException {
        recordV2();

        assertThat(usageOfRunning()).isEqualTo(V2_USAGE);
    }

    @Test
    void readsTheHierarchiesOfV1() throws IOException {
        recordV1();

        assertThat(usageOfRunning()).isEqualTo(V1_USAGE);
    }

    @Test
    void readsEachControllerOfAHybridMachineWhereItIs() throws IOException {
        recordV1();
        mount("cgroup2", "/", "sys/fs/cgroup/unified", "rw,nsdelegate");
        write(
                "sys/fs/cgroup/unified/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab/cpu.stat",
                "usage_usec 99\nthrottled_usec 99\n");
        write(
                "sys/fs/cgroup/unified/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab/memory.peak",
                "99\n");
        write(
                "sys/fs/cgroup/unified/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab/pids.peak",
                "12\n");
        write(
                "proc/4711/cgroup",
                """
                5:memory:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                3:cpu,cpuacct:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                1:name=systemd:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                0::/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                """);

        assertThat(usageOfRunning())
                .isEqualTo(usage(52_428_800L, 104_857_600L, 1L, 81_234L, 7_000L, 12L));
    }

    /** Its group of v2 is the service's then, which has used much more. */
    @Test
    void readsNothingInV2ThatV1Counts() throws IOException {
        recordV1();
        mount("cgroup2", "/", "sys/fs/cgroup/unified", "rw");
        write("sys/fs/cgroup/unified/containerd.service/cpu.stat", "usage_usec 99\n");
        write(
                "proc/4711/cgroup",
                """
                5:memory:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                3:cpu,cpuacct:/
                2:pids:/
                0::/containerd.service
                """);

        assertThat(usageOfRunning())
                .isEqualTo(usage(52_428_800L, 104_857_600L, 1L, null, null, null));
    }

    @Test
    void countsOomKillsFromTheCreateOn() throws IOException {
        recordV2();

        Cgroup created = created();
        assertThat(created.usage(false).oomKills()).hasValue(0);
        write(V2 + "memory.events", EVENTS.replace("oom_kill 2", "oom_kill 3"));

        assertThat(created.usage(false).oomKills()).hasValue(1);
    }

    /** They may be those of an earlier container. */
    @Test
    void doesNotKnowOomKillsThatWereThereWhenARunningContainerWasFound() throws IOException {
        recordV2();

        Cgroup found = Cgroup.of(CONTAINER, PID, true, finder()).orElseThrow();

        assertThat(found.usage(false).oomKills()).isEmpty();
        assertThat(found.usage(false).memoryPeak()).isEqualTo(V2_USAGE.memoryPeak());
    }

    @Test
    void knowsNothingOfALaterGroupOfTheSamePath() throws IOException {
        recordV2();
        Cgroup created = created();
        Files.move(machine.resolve(V2), machine.resolve("removed"));

        recordV2();

        assertThat(created.usage(false)).isEqualTo(Usage.NOTHING);
    }

    /** As systemd and dockerd do, in a container whose daemon was restarted. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void findsTheContainersGroupsThoughItsProcessHasMovedIntoOthersBelow(boolean hasRun)
            throws IOException {
        recordV1();
        write(V1_MEMORY + "memory.oom_control", "oom_kill 0\n");
        write(V1_MEMORY + "app/memory.oom_control", "oom_kill 3\n");
        write(V1_MEMORY + "init/memory.oom_control", "oom_kill 0\n");
        write("proc/4711/cgroup", "5:memory:" + V1_PATH + "/init\n2:pids:" + V1_PATH + "\n");

        Usage inV1 = Cgroup.of(CONTAINER, PID, hasRun, finder()).orElseThrow().usage(false);
        recordV2();
        write("proc/4711/cgroup", "0::" + V2_PATH + "/init.scope\n");
        write(V2 + "init.scope/memory.peak", "1\n");
        Usage inV2 = Cgroup.of(CONTAINER, PID, hasRun, finder()).orElseThrow().usage(false);

        assertThat(inV1).isEqualTo(usage(52_428_800L, 104_857_600L, 3L, null, null, 9L));
        assertThat(inV2.memoryPeak()).isEqualTo(V2_USAGE.memoryPeak());
    }

    @Test
    void claimsNoGroupOfARunningContainerThatMayBeOneBelowItsOwn() throws IOException {
        recordV2();
        ContainerKey other = new ContainerKey("default", "tc");

        assertThat(Cgroup.of(other, PID, true, finder())).isEmpty();
        assertThat(Cgroup.of(other, PID, false, finder())).isPresent();
    }

    @Test
    void countsOomKillsInTheGroupsThatAContainerOfV1HasMade() throws IOException {
        recordV1();
        write(V1_MEMORY + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
        write(V1_MEMORY + "own/memory.oom_control", "oom_kill_disable 0\noom_kill 2\n");

        assertThat(created().usage(false).oomKills()).hasValue(2);
    }

    /** The kernel forgets what it has counted in a group that is removed. */
    @Test
    void doesNotKnowThatThereWereNoOomKillsInAContainerOfV1ThatHasMadeGroups() throws IOException {
        recordV1();
        write(V1_MEMORY + "memory.oom_control", "oom_kill 0\n");
        Cgroup created = created();
        assertThat(created.hasUncountedGroups()).isFalse();
        assertThat(created.usage(false).oomKills()).hasValue(0);

        Path below = Files.createDirectory(machine.resolve(V1_MEMORY + "init"));
        assertThat(created.hasUncountedGroups()).isTrue();
        assertThat(created.usage(false).oomKills()).isEmpty();
        Cgroup found = created();

        Files.delete(below);
        assertThat(created.usage(true).oomKills()).as("seen before").isEmpty();
        assertThat(found.usage(false).oomKills()).as("when it was found").isEmpty();
        write(V1_MEMORY + "memory.oom_control", "oom_kill 1\n");
        assertThat(created.usage(true).oomKills()).hasValue(1);
    }

    /** v2 counts those of all groups that ever were below. */
    @Test
    void knowsThatThereWereNoOomKillsInAContainerOfV2ThatHasMadeGroups() throws IOException {
        recordV2();
        Cgroup created = created();

        Files.createDirectory(machine.resolve(V2 + "init"));

        assertThat(created.hasUncountedGroups()).isFalse();
        assertThat(created.usage(false).oomKills()).hasValue(0);
    }

    @Test
    void doesNotKnowOomKillsIfTheyWereUnknownAtTheCreate() throws IOException {
        recordV2();
        Files.delete(machine.resolve(V2 + "memory.events"));

        Cgroup created = created();
        write(V2 + "memory.events", EVENTS);

        assertThat(created.usage(false).oomKills()).isEmpty();
        assertThat(created.usage(false).memoryPeak()).isEqualTo(V2_USAGE.memoryPeak());
    }

    @Test
    void doesNotTakeTheOomKillsOfAGroupMadeInItsPlace() throws IOException {
        recordV2();

        Cgroup created = created();
        write(V2 + "memory.events", EVENTS.replace("oom_kill 2", "oom_kill 1"));

        assertThat(created.usage(false).oomKills()).isEmpty();
    }

    static Stream<Arguments> numbers() {
        return Stream.of(
                Arguments.of("0\n", 0L),
                Arguments.of("8388608\n", 8_388_608L),
                Arguments.of("8388608", 8_388_608L),
                Arguments.of("9223372036854775807\n", Long.MAX_VALUE),
                Arguments.of("9223372036854775808\n", null),
                Arguments.of("18446744073709551615\n", null),
                Arguments.of("-1\n", null),
                Arguments.of("+1\n", null),
                Arguments.of("max\n", null),
                Arguments.of("", null),
                Arguments.of("\n", null),
                Arguments.of("1\n\n", null),
                Arguments.of("1\r\n", null),
                Arguments.of(" 1\n", null),
                Arguments.of("1 2\n", null),
                Arguments.of("1\n2\n", null),
                Arguments.of("0x1f\n", null),
                Arguments.of("1e3\n", null),
                Arguments.of("1\u0000\n", null),
                Arguments.of("\u001b[31m1\n", null),
                Arguments.of("\u0661\u0662\n", null),
                Arguments.of("0".repeat(4095) + "7", 7L),
                Arguments.of("0".repeat(4096) + "7", null),
                Arguments.of("1".repeat(1 << 20), null));
    }

    @ParameterizedTest
    @MethodSource("numbers")
    void takesOnlyANumber(String content, @Nullable Long expected) throws IOException {
        recordV2();
        write(V2 + "memory.peak", content);

        Usage usage = usageOfRunning();

        assertThat(usage.memoryPeak()).isEqualTo(optional(expected));
        assertThat(withPeakOf(V2_USAGE, usage)).isEqualTo(V2_USAGE);
    }

    @Test
    void takesNoBytesThatAreNoText() throws IOException {
        recordV2();
        Files.write(
                machine.resolve(V2 + "memory.peak"), new byte[] {'1', (byte) 0xff, (byte) 0xb2});

        assertThat(usageOfRunning().memoryPeak()).isEmpty();
    }

    static Stream<Arguments> lines() {
        return Stream.of(
                Arguments.of(EVENTS, 2L),
                Arguments.of("oom_kill 3", 3L),
                Arguments.of("oom 1\noom_kill 3", 3L),
                Arguments.of("oom_kill 3\noom_kill 4\n", 3L),
                Arguments.of("oom_group_kill 3\n", null),
                Arguments.of("xoom_kill 3\n", null),
                Arguments.of("oom_kills 3\n", null),
                Arguments.of("oom_kill\n", null),
                Arguments.of("oom_kill \n3\n", null),
                Arguments.of("oom_kill  3\n", null),
                Arguments.of("oom_kill\t3\n", null),
                Arguments.of("oom_kill 3 4\n", null),
                Arguments.of("oom_kill 3\r\n", null),
                Arguments.of("oom 1\room_kill 3\n", null),
                Arguments.of("oom_kill -3\n", null),
                Arguments.of("oom_kill max\n", null),
                Arguments.of("oom_kill 9223372036854775808\n", null),
                Arguments.of("", null),
                Arguments.of("oom_kill 3\n" + "x".repeat(4096), null));
    }

    @ParameterizedTest
    @MethodSource("lines")
    void takesOnlyTheNumberOfItsLine(String content, @Nullable Long expected) throws IOException {
        recordV2();
        write(V2 + "memory.events", content);

        assertThat(usageOfRunning().oomKills()).isEqualTo(optional(expected));
    }

    @ParameterizedTest
    @CsvSource({
        "8388608, 8388608",
        "4611686018427387903, 4611686018427387903",
        "4611686018427387904,", // 2^62
        "9223372036854771712,", // no limit, pages of 4 KiB
        "9223372036854710272,", // no limit, pages of 64 KiB
        "18446744073709551615,",
        "max,",
    })
    void tellsALimitFromNone(String content, @Nullable Long expected) throws IOException {
        recordV1();
        write(V1_MEMORY + "memory.limit_in_bytes", content + "\n");
        OptionalLong inV1 = usageOfRunning().memoryLimit();
        recordV2();
        write(V2 + "memory.max", content + "\n");

        assertThat(inV1).isEqualTo(optional(expected));
        assertThat(usageOfRunning().memoryLimit()).isEqualTo(optional(expected));
    }

    @Test
    void losesOnlyTheValuesOfFilesThatAreMissing() throws IOException {
        recordV1();
        Files.delete(machine.resolve(V1_PIDS + "pids.peak")); // an older kernel
        Files.delete(machine.resolve(V1_CPU + "cpu.stat"));
        Files.createDirectory(machine.resolve(V1_CPU + "cpu.stat"));

        assertThat(usageOfRunning())
                .isEqualTo(usage(52_428_800L, 104_857_600L, 1L, 81_234L, null, null));
    }

    /** In v2 every group has processor time; the rest is only where the controller is enabled. */
    @Test
    void readsAGroupWithoutControllers() throws IOException {
        recordV2();
        for (String file :
                new String[] {"memory.peak", "memory.max", "memory.events", "pids.peak"}) {
            Files.delete(machine.resolve(V2 + file));
        }
        write(V2 + "cpu.stat", "usage_usec 1904211\nuser_usec 1004211\nsystem_usec 900000\n");

        assertThat(usageOfRunning()).isEqualTo(usage(null, null, null, 1_904_211L, null, null));
    }

    @Test
    void knowsNothingOnceTheGroupWasRemoved() throws IOException {
        recordV2();

        Cgroup created = created();
        try (Stream<Path> files = Files.list(machine.resolve(V2))) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(machine.resolve(V2));

        assertThat(created.usage(false)).isEqualTo(Usage.NOTHING);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0::/\n",
                "0::/..\n",
                "0::/../../system.slice\n",
                "0::/system.slice/../system.slice\n",
                "0::system.slice\n",
                "0::/system.slice (deleted)\n",
                "0::/system.slice/tardis.service\n", // the daemon's own
                "0::/system.slice\u0000\n",
                "7:freezer:/system.slice\n1:name=systemd:/system.slice\n",
                "0:/system.slice\n",
                "\n\n::\n:::::\n",
                "",
            })
    void hasNoGroupThatIsNotTheContainers(String line) throws IOException {
        mount("cgroup2", "/", "sys/fs/cgroup", "rw");
        write("sys/fs/cgroup/cpu.stat", "usage_usec 1\n");
        write("sys/fs/cgroup/system.slice/cpu.stat", "usage_usec 1\n");
        write("sys/fs/cgroup/system.slice/tardis.service/cpu.stat", "usage_usec 1\n");
        write("proc/4711/cgroup", line);

        assertThat(Cgroup.of(CONTAINER, PID, false, finder())).isEmpty();
    }

    @Test
    void hasNoGroupOfAProcessThatIsGone() {
        assertThat(Cgroup.of(CONTAINER, PID, true, finder())).isEmpty();
        assertThat(Cgroup.of(CONTAINER, Long.MAX_VALUE)).isEmpty();
        assertThat(Cgroup.ofRunning(CONTAINER, -1)).isEmpty();
    }

    @Test
    void findsWhatIsMountedLater() throws IOException {
        write("proc/4711/cgroup", "0::" + V2_PATH + "\n");
        CgroupFinder finder = finder();
        assertThat(Cgroup.of(CONTAINER, PID, true, finder)).isEmpty();

        recordV2();

        assertThat(
                        Cgroup.of(CONTAINER, PID, true, finder)
                                .map(it -> it.usage(false))
                                .map(Usage::memoryPeak))
                .hasValue(V2_USAGE.memoryPeak());
    }

    /** As in a container that has a part of the host's hierarchy. */
    @Test
    void findsAGroupBelowTheMountedOne() throws IOException {
        recordV2();
        write("proc/self/mountinfo", "");
        mount("cgroup2", "/kind\\134x2d1", "sys/fs/cgroup", "rw");
        write("proc/4711/cgroup", "0::/kind\\x2d1" + V2_PATH + "\n");
        assertThat(usageOfRunning()).isEqualTo(V2_USAGE);

        write("proc/4711/cgroup", "0::/kind\\x2d11" + V2_PATH + "\n");
        assertThat(Cgroup.of(CONTAINER, PID, true, finder())).isEmpty();

        write("proc/4711/cgroup", "0::/kind\\x2d1\n");
        assertThat(Cgroup.of(CONTAINER, PID, true, finder())).isEmpty();
    }

    @Test
    void readsTheKernelsPeakOfMemory() throws Exception {
        try (RealGroup group = new RealGroup();
                Contained process = new Contained(group, "exit 3")) {
            Cgroup created = Cgroup.of(CONTAINER, process.pid()).orElseThrow();
            assertThat(process.end()).isEqualTo(3);

            Usage usage = created.usage(false);

            assertThat(usage.memoryPeak().orElseThrow()).isBetween(1L, 64 * MIB);
            assertThat(usage.memoryLimit()).isEmpty();
            assertThat(usage.oomKills()).hasValue(0);
            // The other controllers have this process in this JVM's own groups.
            assertThat(usage.cpuMicros()).isEmpty();
        }
    }

    @Test
    void countsAProcessThatTheKernelKillsForMemory() throws Exception {
        try (RealGroup group = new RealGroup()) {
            group.limit(8 * MIB);
            // One process that is large: of a pipe, the kernel may kill both.
            String killed = "dd if=/dev/zero of=/dev/null bs=64M count=1";
            try (Contained process = new Contained(group, killed + "; exit 0")) {
                Cgroup created = Cgroup.of(CONTAINER, process.pid()).orElseThrow();
                assertThat(process.end()).isZero();

                Usage usage = created.usage(false);

                assertThat(usage.oomKills()).hasValue(1);
                assertThat(usage.memoryLimit()).hasValue(8 * MIB);
                assertThat(usage.memoryPeak().orElseThrow()).isBetween(7 * MIB, 9 * MIB);
            }
            try (Contained process = new Contained(group, "exit 0")) {
                Cgroup next = Cgroup.of(CONTAINER, process.pid()).orElseThrow();
                Cgroup found = Cgroup.ofRunning(group.container(), process.pid()).orElseThrow();
                process.end();

                assertThat(next.usage(false).oomKills()).hasValue(0);
                assertThat(found.usage(false).oomKills()).isEmpty();
            }
        }
    }

    /** A group of the kernel's memory controller of v1. */
    private static final class RealGroup implements AutoCloseable {

        private static final Path HIERARCHY = Path.of("/sys/fs/cgroup/memory");

        final Path directory =
                HIERARCHY.resolve(
                        "tardis-test-%032x.scope"
                                .formatted(ThreadLocalRandom.current().nextLong()));

        RealGroup() throws IOException {
            assumeTrue(
                    Files.exists(HIERARCHY.resolve("memory.limit_in_bytes"))
                            && Files.isWritable(HIERARCHY)
                            && Files.isWritable(HIERARCHY.resolve("cgroup.procs")),
                    "no memory controller of cgroup v1 that this user may use");
            Files.createDirectory(directory);
        }

        /** The one that it is named after. */
        ContainerKey container() {
            String name = directory.getFileName().toString();
            return new ContainerKey("moby", name.replaceAll("tardis-test-|\\.scope", ""));
        }

        void limit(long bytes) throws IOException {
            set("memory.limit_in_bytes", bytes);
            if (Files.exists(directory.resolve("memory.memsw.limit_in_bytes"))) { // no swap either
                set("memory.memsw.limit_in_bytes", bytes);
            }
        }

        private void set(String file, long bytes) throws IOException {
            Files.writeString(
                    directory.resolve(file), Long.toString(bytes), StandardOpenOption.WRITE);
        }

        @Override
        public void close() {
            // It is busy for a moment after its last process has ended.
            await().atMost(20, TimeUnit.SECONDS)
                    .ignoreExceptions()
                    .until(() -> Files.deleteIfExists(directory) || Files.notExists(directory));
        }
    }

    /** A shell in a group, which waits for {@link #end} before it does anything. */
    private static final class Contained implements AutoCloseable {

        private final Process shell;

        Contained(RealGroup group, String script) throws IOException {
            String contained = "echo $$ > \"$0\" && echo in && read go; " + script;
            shell =
                    new ProcessBuilder(
                                    "sh",
                                    "-c",
                                    contained,
                                    group.directory.resolve("cgroup.procs").toString())
                            .redirectError(ProcessBuilder.Redirect.DISCARD)
                            .start();
            BufferedReader output = shell.inputReader();
            assertThat(output.readLine()).isEqualTo("in");
        }

        long pid() {
            return shell.pid();
        }

        int end() throws Exception {
            shell.getOutputStream().close();
            assertThat(shell.waitFor(30, TimeUnit.SECONDS)).isTrue();
            return shell.exitValue();
        }

        @Override
        public void close() {
            shell.descendants().forEach(ProcessHandle::destroyForcibly);
            shell.destroyForcibly();
        }
    }

    private void recordV2() throws IOException {
        mount("cgroup2", "/", "sys/fs/cgroup", "rw,nsdelegate,memory_recursiveprot");
        write("proc/4711/cgroup", "0::" + V2_PATH + "\n");
        write(V2 + "memory.peak", "536608768\n");
        write(V2 + "memory.max", "536870912\n");
        write(V2 + "memory.events", EVENTS);
        write(
                V2 + "cpu.stat",
                """
                usage_usec 1904211
                user_usec 1004211
                system_usec 900000
                nice_usec 0
                core_sched.force_idle_usec 0
                nr_periods 120
                nr_throttled 30
                throttled_usec 350118
                nr_bursts 0
                burst_usec 0
                """);
        write(V2 + "pids.peak", "17\n");
    }

    private void recordV1() throws IOException {
        mount("cgroup", "/", "sys/fs/cgroup/pids", "rw,pids");
        mount("cgroup", "/", "sys/fs/cgroup/systemd", "rw,xattr,name=systemd");
        mount("cgroup", "/", "sys/fs/cgroup/cpu,cpuacct", "rw,cpu,cpuacct");
        mount("cgroup", "/", "sys/fs/cgroup/memory", "rw,memory");
        write(
                "proc/4711/cgroup",
                """
                5:memory:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                4:freezer:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                3:cpu,cpuacct:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                2:pids:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                1:name=systemd:/docker/3f9c0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab
                """);
        write(V1_MEMORY + "memory.max_usage_in_bytes", "52428800\n");
        write(V1_MEMORY + "memory.limit_in_bytes", "104857600\n");
        write(
                V1_MEMORY + "memory.oom_control",
                """
                oom_kill_disable 0
                under_oom 0
                oom_kill 1
                """);
        write(V1_CPU + "cpuacct.usage", "81234567\n");
        write(
                V1_CPU + "cpu.stat",
                """
                nr_periods 12
                nr_throttled 1
                throttled_time 7000999
                nr_bursts 0
                burst_time 0
                """);
        write(V1_PIDS + "pids.peak", "9\n");
    }

    private void mount(String type, String root, String point, String options) throws IOException {
        Files.writeString(
                machine.resolve("proc/self/mountinfo"),
                "35 31 0:32 %s %s rw,nosuid,nodev shared:9 - %s %s %s\n"
                        .formatted(root, machine.resolve(point), type, type, options),
                StandardOpenOption.APPEND);
    }

    private void write(String file, String content) throws IOException {
        Path path = machine.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, content, StandardCharsets.UTF_8);
    }

    private CgroupFinder finder() {
        return new CgroupFinder(machine.resolve("proc"));
    }

    private Cgroup created() {
        return Cgroup.of(CONTAINER, PID, false, finder()).orElseThrow();
    }

    /** Its OOM kills are those since: none were counted when it was found. */
    private Usage usageOfRunning() throws IOException {
        Map<Path, String> recorded = new HashMap<>();
        for (String name : List.of(V2 + "memory.events", V1_MEMORY + "memory.oom_control")) {
            Path file = machine.resolve(name);
            if (Files.isRegularFile(file)) {
                String content = Files.readString(file, StandardCharsets.ISO_8859_1);
                recorded.put(file, content);
                write(name, content.replaceAll("(?m)^oom_kill [0-9]+", "oom_kill 0"));
            }
        }
        Cgroup found = Cgroup.of(CONTAINER, PID, true, finder()).orElseThrow();
        for (Map.Entry<Path, String> each : recorded.entrySet()) {
            Files.writeString(each.getKey(), each.getValue(), StandardCharsets.ISO_8859_1);
        }
        return found.usage(false);
    }

    private static Usage withPeakOf(Usage peak, Usage others) {
        return new Usage(
                peak.memoryPeak(),
                others.memoryLimit(),
                others.oomKills(),
                others.cpuMicros(),
                others.throttledMicros(),
                others.pidsPeak());
    }

    private static Usage usage(
            @Nullable Long peak,
            @Nullable Long limit,
            @Nullable Long kills,
            @Nullable Long cpu,
            @Nullable Long throttled,
            @Nullable Long pids) {
        return new Usage(
                optional(peak),
                optional(limit),
                optional(kills),
                optional(cpu),
                optional(throttled),
                optional(pids));
    }

    private static OptionalLong optional(@Nullable Long value) {
        return Optional.ofNullable(value).map(OptionalLong::of).orElse(OptionalLong.empty());
    }
}
