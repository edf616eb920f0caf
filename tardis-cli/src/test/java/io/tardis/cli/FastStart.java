package io.tardis.cli;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Lets the processes of these tests start in half the time: this module as a jar, since a JVM takes
 * no cache for a folder of classes, and an AOT cache, as an installation has. Made once for all
 * JVMs that run tests of this build. Where the cache cannot be used, the JVM goes without.
 */
final class FastStart {

    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Path CLASSES = Path.of("target/classes").toAbsolutePath();
    private static final Path DIRECTORY = Path.of("target/fast-start").toAbsolutePath();
    private static final Path JAR = DIRECTORY.resolve("tardis-cli.jar");
    private static final Path CACHE = DIRECTORY.resolve("tardis.aot");

    private FastStart() {}

    /** The module path of this JVM, with the jar in the place of the folder. */
    static String modulePath() {
        return Stream.of(System.getProperty("jdk.module.path").split(File.pathSeparator))
                .map(it -> Path.of(it).toAbsolutePath().equals(CLASSES) ? JAR.toString() : it)
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** The options of a JVM that starts fast. */
    static synchronized List<String> options() throws IOException {
        Files.createDirectories(DIRECTORY);
        try (FileChannel channel =
                        FileChannel.open(
                                DIRECTORY.resolve("lock"),
                                StandardOpenOption.CREATE,
                                StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            assert lock.isValid();
            if (!Files.exists(JAR) || newestClass().compareTo(Files.getLastModifiedTime(JAR)) > 0) {
                Files.deleteIfExists(CACHE);
                makeJar();
                makeCache();
            }
        }
        return List.of("-XX:AOTCache=" + CACHE, "-Xlog:aot*=off");
    }

    private static FileTime newestClass() throws IOException {
        FileTime newest = FileTime.fromMillis(0);
        for (Path file : classes()) {
            FileTime time = Files.getLastModifiedTime(file);
            newest = time.compareTo(newest) > 0 ? time : newest;
        }
        return newest;
    }

    private static List<Path> classes() throws IOException {
        try (Stream<Path> files = Files.walk(CLASSES)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    private static void makeJar() throws IOException {
        Path beside = DIRECTORY.resolve("new.jar");
        try (OutputStream out = Files.newOutputStream(beside);
                ZipOutputStream jar = new ZipOutputStream(out)) {
            for (Path file : classes()) {
                jar.putNextEntry(new ZipEntry(CLASSES.relativize(file).toString()));
                Files.copy(file, jar);
            }
        }
        Files.move(beside, JAR, StandardCopyOption.ATOMIC_MOVE);
    }

    /** As lib/aot-cache.sh of an installation does: from a daemon that starts and ends. */
    private static void makeCache() throws IOException {
        Path directory = Files.createTempDirectory("tardis-fast-start");
        Tardis tardis = new Tardis(directory);
        List<String> command =
                tardis.javaCommand(
                        List.of(
                                "-XX:AOTCacheOutput=" + CACHE,
                                "-XX:+UnlockDiagnosticVMOptions",
                                "-XX:-AOTRecordTraining",
                                "-Dtardis.path="),
                        "daemon");
        Process daemon =
                tardis.builder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("out.txt").toFile())
                        .start();
        try {
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (daemon.isAlive() && !Files.exists(tardis.socket())) {
                if (System.nanoTime() - deadline >= 0) {
                    throw new IOException("no daemon starts in " + directory);
                }
                TimeUnit.MILLISECONDS.sleep(20);
            }
            daemon.destroy();
            boolean ended = daemon.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            if (!ended || !Files.exists(CACHE)) {
                throw new IOException("no cache is made in " + directory);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        } finally {
            daemon.destroyForcibly();
        }
        deleteAll(directory);
    }

    private static void deleteAll(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
                Files.delete(file);
            }
        }
    }
}
