package io.tardis.testkit;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A {@code main} of a test tree in a process of its own, for what only shows between processes. For
 * one thread.
 */
public final class ChildJvm implements AutoCloseable {

    private static final long PATIENCE_SECONDS = 30;

    private final Process process;
    private final BufferedReader output;

    private ChildJvm(Process process) {
        this.process = process;
        this.output = process.inputReader(StandardCharsets.UTF_8);
    }

    /** Starts {@code main}. */
    public static ChildJvm start(Class<?> main, String... arguments) throws IOException {
        return start(List.of(), main, arguments);
    }

    /**
     * Starts {@code main} by a command that becomes the JVM.
     *
     * @param launcher the command's first words, to which the JVM's are appended
     */
    public static ChildJvm start(List<String> launcher, Class<?> main, String... arguments)
            throws IOException {
        List<String> command = new ArrayList<>(launcher);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
        command.add("--enable-native-access=ALL-UNNAMED");
        command.addAll(List.of("-cp", classPath(main), main.getName()));
        command.addAll(List.of(arguments));
        return new ChildJvm(
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start());
    }

    /** Its process's id. */
    public long pid() {
        return process.pid();
    }

    /** The next line that it prints; null at its end. */
    public @Nullable String line() throws IOException {
        return output.readLine();
    }

    /**
     * SIGKILL, and nothing runs in it any more when this returns. What it had printed can still be
     * read, which the process's own method would prevent.
     *
     * @throws IllegalStateException if it does not end
     */
    public void kill() throws InterruptedException {
        process.toHandle().destroyForcibly();
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new IllegalStateException("process " + process.pid() + " survives SIGKILL");
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }

    /** The module path is put on the class path: the child is no test of modules. */
    private static String classPath(Class<?> main) {
        return Stream.of(
                        testClasses(main),
                        System.getProperty("jdk.module.path", ""),
                        System.getProperty("java.class.path", ""))
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** The folder that holds {@code main}: the tests are patched into a module and on no path. */
    private static String testClasses(Class<?> main) {
        URL file = main.getResource(main.getSimpleName() + ".class");
        if (file == null) {
            throw new IllegalArgumentException(main + " is no class of its own file");
        }
        String upToTheRoot = main.getPackageName().replaceAll("[^.]+\\.?", "../");
        return Path.of(URI.create(file.toString()).resolve(upToTheRoot)).toString();
    }
}
