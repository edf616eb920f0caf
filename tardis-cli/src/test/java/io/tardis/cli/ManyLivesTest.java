package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Rfc3339;
import io.tardis.runc.ShimClient;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Lives of all kinds, each with an id of its own as on a Kubernetes node: when the retention has
 * passed, nothing of them is left on disk or in memory. {@code -Dtardis.lives=10000} is the full
 * size.
 */
@Timeout(1800)
class ManyLivesTest {

    private static final int LIVES = Integer.getInteger("tardis.lives", 600);

    private static final Duration PATIENCE = Duration.ofMinutes(2);

    /** Greater than any that Linux gives: no life has a process. */
    private static final int FIRST_PID = 4_194_305;

    /** By which two measurements of the same heap may differ. */
    private static final long HEAP_BYTES = 1L << 20;

    /** What a life takes in the heap while it is open, or one of the newest. */
    private static final long LIFE_BYTES = 2048;

    /** What SQLite's file keeps free for what comes. */
    private static final long SPARE_BYTES = 1L << 20;

    private enum Kind {
        /** {@code runc create} fails, and containerd deletes what there is. */
        NEVER_BORN,
        CLEAN,
        FAILED,
        /** Not enabled: recorded by containerd's reports alone. */
        PLAIN,
        /** The node was shut down, say: nobody calls {@code runc delete}. */
        NEVER_DELETED,
        /** Neither the end nor the delete was seen. */
        LOST
    }

    /** What is there, and what it costs to start beside it. */
    private record Cost(List<Path> files, long databaseBytes, long heapBytes, Duration start) {}

    @TempDir private Path directory;
    private Tardis tardis;
    private RandomAccessFile events;
    private int lives;

    @BeforeEach
    void install() throws Exception {
        tardis = new Tardis(directory);
        Path fifo = directory.resolve("events");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor()).isZero();
        events = new RandomAccessFile(fifo.toFile(), "rw"); // opens without a reader
        tardis.set("TARDIS_CTR_CMD", "cat " + fifo);
        tardis.set("TARDIS_RECORD", "all");
    }

    @AfterEach
    void stop() throws Exception {
        tardis.stopDaemon();
        events.close();
    }

    @Test
    void leaveNothingBehind() throws Exception {
        Cost before = cost();

        live();
        assertThat(files()).hasSizeGreaterThan(before.files().size() + LIVES / 6);
        tardis.set("TARDIS_RETENTION", "1ms");
        tardis.set("TARDIS_REPLAY", "1ms");
        // The first one finds what was deleted unseen, the second the directories of that.
        awaitWithADaemon(() -> tardis.run("ls").out().lines().count() <= 1 && openLives() == 0);
        awaitWithADaemon(() ->
                Files.notExists(containers())
                        && databaseBytes() <= before.databaseBytes() + SPARE_BYTES);
        Cost after = cost();

        System.out.println(LIVES + " lives: before " + before + ", after " + after);
        List<Path> left = new ArrayList<>(after.files());
        left.removeAll(before.files());
        assertThat(left).containsExactly(Path.of("containers"), Path.of("containers/.removed"));
        assertThat(after.databaseBytes()).isLessThanOrEqualTo(before.databaseBytes() + SPARE_BYTES);
        assertThat(after.heapBytes()).isLessThanOrEqualTo(before.heapBytes() + HEAP_BYTES);
        // Processor time, which other work on the machine hardly changes.
        assertThat(after.start()).isLessThan(before.start().multipliedBy(2));
    }

    /** All in one daemon, whose heap does not grow with them. */
    private void live() throws Exception {
        try (TardisProcess daemon = startDaemon()) {
            long heapBefore = heapBytes(daemon);
            for (int i = 0; i < LIVES; i++) {
                liveOnce(Kind.values()[i % Kind.values().length]);
            }
            liveOnce(Kind.PLAIN);
            String id = "tc" + lives;
            await().atMost(PATIENCE).until(() -> tardis.run("get", id).status() == ExitStatus.OK);
            long heapAfter = heapBytes(daemon);
            assertThat(heapAfter).isLessThan(heapBefore + HEAP_BYTES + LIVES * LIFE_BYTES);
            assertThat(tardis.run("stop").status()).isEqualTo(ExitStatus.OK);
            daemon.result();
        }
    }

    private void liveOnce(Kind kind) throws IOException {
        lives++;
        String id = "tc" + lives;
        int pid = FIRST_PID + lives;
        if (kind == Kind.PLAIN) {
            report("/tasks/create", id, pid, "\"bundle\":\"" + directory.resolve(id) + "\",");
            report("/tasks/start", id, pid, "");
            report("/tasks/exit", id, pid, "\"exit_status\":4,\"id\":\"" + id + "\",");
            return;
        }
        ContainerKey container = new ContainerKey("default", id);
        Path bundle = Files.createDirectory(directory.resolve(id));
        Path config = bundle.resolve("config.json");
        Files.writeString(config, "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        assertThat(tardis.create(container, bundle)).isTrue();
        if (kind != Kind.NEVER_BORN) {
            Files.writeString(bundle.resolve("init.pid"), Long.toString(pid));
            assertThat(tardis.startContainer(container)).isTrue();
            if (kind != Kind.LOST) {
                String status = kind == Kind.CLEAN ? "" : "\"exit_status\":3,";
                report("/tasks/exit", id, pid, status + "\"id\":\"" + id + "\",");
            }
        }
        if (kind != Kind.LOST && kind != Kind.NEVER_DELETED) {
            assertThat(tardis.delete(container, kind == Kind.NEVER_BORN)).isTrue();
        }
        try (Stream<Path> files = Files.list(bundle)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(bundle);
    }

    private void report(String topic, String id, int pid, String fields) throws IOException {
        Instant now = Instant.now();
        String line =
                "%s default %s {\"container_id\":\"%s\",%s\"pid\":%d,\"exited_at\":\"%s\"}\n"
                        .formatted(CtrTime.of(now), topic, id, fields, pid, Rfc3339.format(now));
        events.write(line.getBytes(StandardCharsets.UTF_8));
    }

    private Cost cost() throws Exception {
        try (TardisProcess daemon = startDaemon()) {
            Duration start = cpuTime(daemon);
            long heap = heapBytes(daemon);
            assertThat(tardis.run("stop").status()).isEqualTo(ExitStatus.OK);
            daemon.result();
            return new Cost(files(), databaseBytes(), heap, start);
        }
    }

    private long databaseBytes() throws IOException {
        return Files.size(tardis.stateDir().resolve("exits.db"));
    }

    private void awaitWithADaemon(Callable<Boolean> condition) throws Exception {
        try (TardisProcess daemon = startDaemon()) {
            await().atMost(PATIENCE).until(condition);
            assertThat(tardis.run("stop").status()).isEqualTo(ExitStatus.OK);
            daemon.result();
        }
    }

    private Path containers() {
        return tardis.stateDir().resolve("containers/default");
    }

    private long openLives() throws IOException {
        try (Stream<Path> containers = Files.list(containers())) {
            return containers.filter(it -> Files.exists(it.resolve("life.json"))).count();
        }
    }

    /** All files and directories of the daemon, but the log. */
    private List<Path> files() throws IOException {
        List<Path> found = new ArrayList<>();
        for (Path root : List.of(tardis.stateDir(), tardis.runDir())) {
            try (Stream<Path> files = Files.walk(root)) {
                files.map(root::relativize).forEach(found::add);
            }
        }
        return found.stream().sorted().toList();
    }

    private TardisProcess startDaemon() throws IOException {
        TardisProcess daemon = tardis.start("daemon");
        await().atMost(PATIENCE)
                .failFast("the daemon ended", () -> !daemon.isAlive())
                .until(() -> ShimClient.isAnswered(tardis.socket()));
        return daemon;
    }

    private static Duration cpuTime(TardisProcess daemon) {
        return ProcessHandle.of(daemon.pid()).orElseThrow().info().totalCpuDuration().orElseThrow();
    }

    /** What lives in the heap, after a collection. */
    private static long heapBytes(TardisProcess daemon) throws Exception {
        Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
        Process process =
                new ProcessBuilder(
                                jcmd.toString(), Long.toString(daemon.pid()), "GC.class_histogram")
                        .redirectErrorStream(true)
                        .start();
        String out =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(process.waitFor()).as(out).isZero();
        String[] total = out.substring(out.lastIndexOf('\n') + 1).strip().split(" +");
        assertThat(total).as(out).hasSize(3).startsWith("Total");
        return Long.parseLong(total[2]);
    }
}
