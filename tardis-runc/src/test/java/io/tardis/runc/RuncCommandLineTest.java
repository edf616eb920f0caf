package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RuncCommandLineTest {

    private static final Path DIRECTORY = Path.of("/cwd");

    /**
     * A line of {@code command-lines.txt}.
     *
     * @param expected what the command line asks of Tardis
     * @param arguments the command line
     */
    record Vector(String expected, List<String> arguments) {

        static Vector parse(String line) {
            int bar = line.indexOf(" | ");
            return new Vector(
                    line.substring(0, bar),
                    Stream.of(line.substring(bar + 3).split(" ", -1))
                            .map(word -> word.equals("\"\"") ? "" : word)
                            .toList());
        }
    }

    static List<Vector> vectors() throws IOException {
        try (InputStream file =
                Objects.requireNonNull(
                        RuncCommandLineTest.class.getResourceAsStream("command-lines.txt"))) {
            return new String(file.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(Vector::parse)
                    .toList();
        }
    }

    @ParameterizedTest
    @MethodSource("vectors")
    void readsEveryVector(Vector vector) {
        RuncCommandLine command = RuncCommandLine.parse(vector.arguments(), DIRECTORY);

        assertThat(describe(command)).isEqualTo(vector.expected());
    }

    @Test
    void findsTheRuntimesStateBelowTheRoot() {
        RuncCommandLine absolute =
                RuncCommandLine.parse(List.of("--root", "/r/default/", "start", "tc"), DIRECTORY);
        RuncCommandLine relative =
                RuncCommandLine.parse(List.of("--root", "r/default", "start", "tc"), DIRECTORY);
        RuncCommandLine standard = RuncCommandLine.parse(List.of("start", "tc"), DIRECTORY);

        ContainerKey container = new ContainerKey("default", "tc");
        assertThat(absolute)
                .isEqualTo(new RuncCommandLine.Start(container, Path.of("/r/default/tc")));
        assertThat(relative)
                .isEqualTo(new RuncCommandLine.Start(container, Path.of("/cwd/r/default/tc")));
        assertThat(standard)
                .isEqualTo(
                        new RuncCommandLine.Start(
                                new ContainerKey("runc", "tc"), Path.of("/run/runc/tc")));
    }

    @Test
    void takesAnEmptyBundleForTheCurrentDirectory() {
        RuncCommandLine command =
                RuncCommandLine.parse(
                        List.of("--root", "/r/default", "create", "--bundle", "", "tc"), DIRECTORY);

        assertThat(describe(command)).isEqualTo("create default tc /cwd");
    }

    @Test
    void passesOnPathsThatJavaCannotName() {
        List<String> root = List.of("--root", "/r/\0/default", "start", "tc");
        List<String> bundle = List.of("--root", "/r/default", "create", "-b", "/\0", "tc");

        assertThat(describe(RuncCommandLine.parse(root, DIRECTORY))).isEqualTo("pass");
        assertThat(describe(RuncCommandLine.parse(bundle, DIRECTORY))).isEqualTo("pass");
    }

    @Test
    void passesOnAnEmptyCommandLine() {
        assertThat(describe(RuncCommandLine.parse(List.of(), DIRECTORY))).isEqualTo("pass");
    }

    private static String describe(RuncCommandLine command) {
        return switch (command) {
            case RuncCommandLine.Create(ContainerKey container, Path bundle) ->
                    "create " + words(container) + " " + bundle;
            case RuncCommandLine.Start(ContainerKey container, Path _) ->
                    "start " + words(container);
            case RuncCommandLine.Delete(ContainerKey container, boolean force) ->
                    (force ? "delete-force " : "delete ") + words(container);
            case RuncCommandLine.PassThrough _ -> "pass";
        };
    }

    private static String words(ContainerKey container) {
        return container.namespace() + " " + container.id();
    }
}
