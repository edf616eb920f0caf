package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What a daemon stands on is replaced while it runs, and containers do. */
@RequiresContainers
class UpgradeIT {

    private static final Duration LONGER = Duration.ofSeconds(2);
    private static final int FULL = 8;
    private static final int AT_A_TIME = Load.size("lanes", 3);

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_LOG_LEVEL", "DEBUG");

    private Path directory;

    @BeforeEach
    void nameDirectory() {
        directory = lab.scratch().folder("opt").resolve("tardis");
    }

    @ContainerTest
    @Timeout(1200)
    void theInstallerReplacesARunningVersionAndNoContainerNotices() throws Exception {
        install(TardisInstallation.fromBuild().home(), "--no-aot-cache");
        Path first = directory.toRealPath();
        Path another = anotherBuild("another");

        // Beside a load the cache takes most of a minute: at full size alone.
        boolean isFull = AT_A_TIME >= FULL;
        String[] options = isFull ? new String[0] : new String[] {"--no-aot-cache"};
        upgradesUnderLoad(() -> install(another, options));

        assertThat(directory.toRealPath()).isNotEqualTo(first);
        assertThat(first).as("what launchers of before may still run").exists();
        assertThat(Files.exists(Path.of(directory.toRealPath() + ".aot"))).isEqualTo(isFull);
    }

    /** Not the way that the documentation names, but a likely one. */
    @ContainerTest
    @Timeout(1200)
    void aDaemonWhoseFilesAreCopiedOverHandsOver() throws Exception {
        copy(TardisInstallation.fromBuild().home(), directory);
        Path another = anotherBuild("another");

        // Not the launcher: Linux refuses to run a file that is being written, whoever writes it.
        upgradesUnderLoad(() -> {
            copy(another.resolve("lib"), directory);
            copy(another.resolve("bin/tardis"), directory.resolve("bin"));
        });
    }

    /** Until it has handed over, what it has loaded has to do, also for what it does first then. */
    @ContainerTest
    void aDaemonThatHasServedNobodyServesWhenItsFilesAreCopiedOver() throws Exception {
        copy(TardisInstallation.fromBuild().home(), directory);
        Path another = anotherBuild("another");
        TardisNode node = lab.tardis().from(new TardisInstallation(directory));
        LiveProcess _ = node.startDaemon();
        Proc before = node.runningDaemon();
        awaitClasses(node);

        copy(another.resolve("."), directory);
        Container bad = container(node, "bad");
        Container good = container(node, "good");
        assertThat(bad.sh("exit 7").code()).isEqualTo(7);
        assertThat(good.sh("exit 0").code()).isZero();

        assertThat(node.code(bad)).isEqualTo("7");
        assertThat(node.code(good)).isEqualTo("0");
        assertThat(node.isCleaned(good)).isTrue();
        Wait.until(
                () -> "another daemon than " + before + "; log:\n" + node.log(),
                SOON,
                () -> !before.isAlive() && node.daemon().isPresent());
        assertThat(node.log()).doesNotContain("NoClassDefFoundError");
    }

    private static void awaitClasses(TardisNode node) {
        Wait.until(
                "a daemon that needs its files no more",
                SOON,
                () -> node.log().contains("all classes are loaded"));
    }

    /** The daemon of the new version cannot live: the old one goes on, and says so. */
    @ContainerTest
    void aVersionThatCannotRunReplacesNothing() throws Exception {
        copy(TardisInstallation.fromBuild().home(), directory);
        TardisNode node = lab.tardis().from(new TardisInstallation(directory));
        LiveProcess _ = node.startDaemon();
        Proc before = node.runningDaemon();

        Files.writeString(directory.resolve("bin/tardis"), "#!/bin/sh\nexit 1\n");
        Files.writeString(only(directory.resolve("lib"), "jnacl-*.jar"), "broken");

        Wait.until(
                () -> "refusal in " + node.log(),
                SOON,
                () -> node.log().contains("bin/tardis could not take over"));
        assertThat(node.runningDaemon()).isEqualTo(before);
        assertThat(container(node, "tc").sh("exit 3").code()).isEqualTo(3);
        node.awaitCode(container(node, "tc"), 3, SOON);
    }

    /** An update of the JDK in place leaves a helper that refuses to work for the old JVM. */
    @ContainerTest
    void theEventSourceIsStartedAgainAfterAnUpdateOfJava() {
        TardisNode node = lab.tardis();
        String helper = System.getProperty("java.home") + "/lib/jspawnhelper";
        String tardis = TardisInstallation.fromBuild().tardis().toString();
        LiveProcess daemon =
                Command.of(
                                "unshare",
                                "--mount",
                                "sh",
                                "-c",
                                "mount --bind /bin/false '%s' && exec '%s' daemon"
                                        .formatted(helper, tardis))
                        .with(node.environment())
                        .start(lab.scratch().root().resolve("daemon.out"));
        node.awaitDaemon();
        Wait.until("event source", SOON, () -> node.sources().size() == 1);
        Proc source = node.sources().getFirst();

        source.signal("KILL");

        Wait.until(
                () -> "another event source; log:\n" + node.log(),
                SOON,
                () -> node.sources().size() == 1 && !node.sources().contains(source));
        assertThat(daemon.isAlive()).isTrue();
    }

    @ContainerTest
    void installsWhereverAndAsOftenAsIsAsked() throws Exception {
        Path build = TardisInstallation.fromBuild().home();
        Outcome first = install(build, "--no-aot-cache");
        Path version = directory.toRealPath();

        Outcome again = install(build, "--no-aot-cache");

        assertThat(again.out()).isEqualTo(first.out()).contains(directory.toString());
        assertThat(directory.toRealPath()).isEqualTo(version);
        assertThat(names(versions())).containsExactly(version.getFileName().toString());

        // What runs that were killed have left; and two more versions.
        Files.createDirectories(versions().resolve(".new/bin"));
        Files.createSymbolicLink(versions().resolve(".link"), Path.of("nowhere"));
        Path second = anotherBuild("second");
        Path third = anotherBuild("third");
        install(second, "--no-aot-cache");
        Path secondVersion = directory.toRealPath();
        install(third, "--no-aot-cache");
        assertThat(names(versions()))
                .as("this version and the one before")
                .containsExactlyInAnyOrder(
                        secondVersion.getFileName().toString(),
                        directory.toRealPath().getFileName().toString());

        // Back, by the version before itself.
        Outcome back =
                Command.of(secondVersion.resolve("install.sh").toString(), "--no-aot-cache")
                        .with(lab.tardis().environment())
                        .run()
                        .orFail();
        assertThat(back.out()).contains(directory.toString());
        assertThat(directory.toRealPath()).isEqualTo(secondVersion);
    }

    @ContainerTest
    void doesNotSwapADirectoryThatItHasNotMade() throws Exception {
        Path build = TardisInstallation.fromBuild().home();
        copy(build, directory);

        Outcome refused = installation(build, "--no-aot-cache").run();

        assertThat(refused.code()).isEqualTo(1);
        assertThat(directory).isDirectory();
        String advice = refused.err().lines().toList().getLast().strip();
        assertThat(advice).startsWith("mv " + directory);
        // As it is printed; there is no daemon yet, and so restart starts one.
        Outcome _ = Command.of("sh", "-c", advice).with(lab.tardis().environment()).run().orFail();
        assertThat(directory.toRealPath().getParent()).isEqualTo(versions());
        assertThat(lab.tardis().runningDaemon().arguments())
                .contains("-Dtardis.home=" + directory.toRealPath());
    }

    /**
     * Runs containers, some at a time, until the daemon of before was replaced and some more have
     * run.
     */
    private void upgradesUnderLoad(Upgrade upgrade) throws Exception {
        TardisNode node = lab.tardis().from(new TardisInstallation(directory));
        LiveProcess _ = node.startDaemon();
        Proc before = node.runningDaemon();
        node.awaitReceiving(new Container(lab.containerd(), node.runtime(), "default", "probe"));
        awaitClasses(node);
        int size = Load.size("containers", 24);
        Queue<Container> load = new ConcurrentLinkedQueue<>();
        Queue<Outcome> ends = new ConcurrentLinkedQueue<>();
        Queue<Duration> times = new ConcurrentLinkedQueue<>();
        AtomicInteger ids = new AtomicInteger();
        AtomicBoolean enough = new AtomicBoolean();
        Duration usual;
        try (ExecutorService pool = Executors.newFixedThreadPool(AT_A_TIME)) {
            for (int i = 0; i < AT_A_TIME; i++) {
                pool.execute(() -> {
                    while (!enough.get()) {
                        Container container = container(node, "load" + ids.incrementAndGet());
                        load.add(container);
                        long begin = System.nanoTime();
                        ends.add(container.sh("exit 3"));
                        times.add(Duration.ofNanos(System.nanoTime() - begin));
                    }
                });
            }
            try {
                Wait.until("containers before", SOON, () -> times.size() >= 2 * AT_A_TIME);
                usual = longest(times);

                upgrade.run();

                Wait.until(
                        () -> "another daemon than " + before + "; log:\n" + node.log(),
                        SOON,
                        () -> !before.isAlive() && node.daemon().isPresent());
                int soFar = times.size();
                Wait.until(
                        "containers after",
                        Duration.ofMinutes(15),
                        () -> times.size() >= Math.max(size, soFar + 2 * AT_A_TIME));
            } finally {
                enough.set(true);
            }
        }
        assertThat(ends).allMatch(it -> it.code() == 3);
        List<Container> all = List.copyOf(load);
        Wait.until(
                () -> "ends of " + node.exitCodes(all),
                SOON,
                () -> node.exitCodes(all).stream().allMatch(it -> it.has("exit_code")));
        assertThat(node.exitCodes(all)).allMatch(it -> it.path("exit_code").asInt() == 3);
        System.out.printf(
                "upgrade: %d containers, longest before %d ms, of all %d ms%n",
                times.size(), usual.toMillis(), longest(times).toMillis());
        Wait.assertTaken("a container across the upgrade", longest(times), usual.plus(LONGER));
        assertThat(node.log()).doesNotContain("NoClassDefFoundError");
    }

    /** Something that may fail. */
    private interface Upgrade {
        void run() throws Exception;
    }

    private static Duration longest(Queue<Duration> times) {
        return times.stream().max(Duration::compareTo).orElseThrow();
    }

    private Container container(TardisNode node, String id) {
        return new Container(lab.containerd(), node.runtime(), "default", id).enabled();
    }

    private Path versions() {
        return directory.resolveSibling("tardis.versions");
    }

    private Outcome install(Path from, String... options) {
        return installation(from, options).run().orFail();
    }

    private Command installation(Path from, String... options) {
        List<String> argv = new ArrayList<>(List.of(from.resolve("install.sh").toString()));
        argv.addAll(List.of(options));
        argv.add(directory.toString());
        return Command.of(argv).with(lab.tardis().environment()).within(Duration.ofMinutes(5));
    }

    /**
     * The build once more, with every class at another place in its jar, but for some libraries.
     */
    private Path anotherBuild(String name) throws IOException {
        Path build = lab.scratch().folder("builds").resolve(name);
        copy(TardisInstallation.fromBuild().home(), build);
        for (String jar :
                List.of(
                        "tardis-*.jar",
                        "jeromq-*.jar",
                        "logback-*.jar",
                        "jackson-databind-*.jar",
                        "caffeine-*.jar",
                        "picocli-*.jar")) {
            try (DirectoryStream<Path> jars = Files.newDirectoryStream(build.resolve("lib"), jar)) {
                for (Path file : jars) {
                    moveEntries(file, name);
                }
            }
        }
        return build;
    }

    private static void moveEntries(Path jar, String name) throws IOException {
        Path moved = jar.resolveSibling("moved");
        try (ZipFile from = new ZipFile(jar.toFile());
                ZipOutputStream to = new ZipOutputStream(Files.newOutputStream(moved))) {
            to.setLevel(Deflater.NO_COMPRESSION);
            to.putNextEntry(new ZipEntry("META-INF/BUILD"));
            to.write(name.repeat(1000).getBytes(StandardCharsets.UTF_8));
            for (ZipEntry entry : Collections.list(from.entries())) {
                to.putNextEntry(new ZipEntry(entry.getName()));
                to.write(from.getInputStream(entry).readAllBytes());
            }
        }
        Files.move(moved, jar, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void copy(Path from, Path to) {
        // By force: a launcher that runs just then cannot be written to.
        Outcome _ = Command.of("cp", "-af", from.toString(), to.toString()).run().orFail();
    }

    private static Path only(Path folder, String glob) throws IOException {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, glob)) {
            return found.iterator().next();
        }
    }

    /** What is in a folder, but for hidden files. */
    private static List<String> names(Path folder) throws IOException {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, "[!.]*")) {
            found.forEach(it -> names.add(it.getFileName().toString()));
        }
        return names;
    }
}
