package io.tardis.runc;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.SetupException;
import io.tardis.core.config.Settings;
import io.tardis.core.config.SettingsReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The launcher's settings reader, settings.c, beside {@link SettingsReader}: what one reads, the
 * other reads, and what one refuses, the other refuses, at the same line.
 */
class LauncherSettingsTest {

    private static final Path PRINT = Path.of("target/native/print-settings").toAbsolutePath();

    /** SettingsReaderTest holds the other reader to them. */
    private static final Path VECTORS =
            Path.of("../tardis-core/src/test/resources/io/tardis/core/config/settings-vectors.txt");

    private static final Pattern REPEATED = Pattern.compile("\\{(\\d+)}");
    private static final Pattern LINE = Pattern.compile("tardis\\.env, line (\\d+): ");
    private static final List<String> NOTHING = List.of("?", "?", "?", "?");
    private static final int MUTATIONS = 1_000;

    @TempDir private Path folder;

    /**
     * What the launcher has read.
     *
     * @param places the run directory, the state directory, the log file and the runtime
     */
    private record Launcher(String problem, List<String> places) {

        /** The line that is refused; 0 is the whole file. */
        int line() {
            Matcher line = LINE.matcher(problem);
            return line.find() ? Integer.parseInt(line.group(1)) : 0;
        }
    }

    @Test
    void readsEveryVectorAsTheOtherReader() throws IOException, InterruptedException {
        List<String> files = vectors();

        assertThat(files).hasSizeGreaterThan(50);
        assertReadersAgree(files);
    }

    @Test
    void readsMutatedVectorsAsTheOtherReader() throws IOException, InterruptedException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        List<String> small = vectors().stream().filter(it -> it.length() < 500).toList();
        List<String> files = new ArrayList<>();
        for (int i = 0; i < MUTATIONS; i++) {
            files.add(mutate(small, random));
        }

        try {
            assertReadersAgree(files);
        } catch (AssertionError e) {
            throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
        }
    }

    @Test
    void doesWithoutAFileOnlyIfThereIsNone() throws IOException, InterruptedException {
        Path fifo = folder.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor()).isZero();
        Path loop = Files.createSymbolicLink(folder.resolve("loop"), Path.of("loop"));
        List<Path> files =
                List.of(folder, fifo, loop, Path.of("/dev/zero"), folder.resolve("missing"));

        List<Launcher> read = launcher(Map.of(), files);

        for (int i = 0; i < files.size(); i++) {
            assertThat(read.get(i).problem()).contains(files.get(i).toString());
            assertThat(read.get(i).places()).isEqualTo(NOTHING);
        }
    }

    @Test
    void takesTheEnvironmentAlsoIfTheFileCannotBeRead() throws IOException, InterruptedException {
        Map<String, String> environment =
                Map.of("TARDIS_REAL_RUNC_CMD", "crun", "TARDIS_STATE_DIR", "s");

        Launcher read = launcher(environment, List.of(folder)).getFirst();

        assertThat(read.problem()).isEqualTo(folder + " cannot be read: it is not a regular file");
        assertThat(read.places()).containsExactly("?", "?", "?", "crun");
    }

    @Test
    void namesTheEnvironmentForItsBadValues() throws IOException, InterruptedException {
        Path file = Files.createFile(folder.resolve("tardis.env"));

        Launcher read = launcher(Map.of("TARDIS_STATE_DIR", "s"), List.of(file)).getFirst();

        assertThat(read)
                .isEqualTo(
                        new Launcher(
                                "the environment: TARDIS_STATE_DIR is not an absolute path",
                                List.of("/run/tardis", "?", "/var/log/tardis/tardis.log", "")));
    }

    /** A runtime that is configured, but not understood, is not the first runc on PATH. */
    @Test
    void doesNotKnowWhatARefusedLineNames() throws IOException, InterruptedException {
        Path file = folder.resolve("tardis.env");
        Files.writeString(file, "TARDIS_RUN_DIR=/r\nexport TARDIS_REAL_RUNC_CMD=/usr/bin/crun\n");

        Launcher read = launcher(Map.of(), List.of(file)).getFirst();

        assertThat(read.line()).isEqualTo(2);
        assertThat(read.places())
                .containsExactly("/r", "/var/lib/tardis", "/var/log/tardis/tardis.log", "?");
    }

    @Test
    void takesNoDefaultsWithoutADescriptorToSpare() throws IOException, InterruptedException {
        Path file = folder.resolve("tardis.env");
        Files.writeString(file, "TARDIS_STATE_DIR=/s\n");
        List<String> starved =
                List.of("sh", "-c", "ulimit -n 3; exec \"$@\"", "sh", PRINT.toString());

        Launcher read = launcher(starved, Map.of(), List.of(file)).getFirst();

        assertThat(read.problem()).contains(file.toString(), "cannot be read");
        assertThat(read.places()).isEqualTo(NOTHING);
    }

    private void assertReadersAgree(List<String> contents)
            throws IOException, InterruptedException {
        List<Path> files = new ArrayList<>();
        for (String content : contents) {
            Path directory = Files.createDirectory(folder.resolve(Integer.toString(files.size())));
            files.add(Files.writeString(directory.resolve("tardis.env"), content, ISO_8859_1));
        }
        List<Launcher> read = launcher(Map.of(), files);
        for (int i = 0; i < files.size(); i++) {
            Map<String, String> environment = Map.of("TARDIS_CONFIG", files.get(i).toString());
            Set<Integer> refused = refusedLines(environment, false);
            Launcher launcher = read.get(i);
            assertThat(launcher.problem().isEmpty())
                    .as(contents.get(i))
                    .isEqualTo(refused.isEmpty());
            if (!refused.isEmpty()) {
                assertThat(refused).as(contents.get(i)).contains(launcher.line());
                continue;
            }
            dropUnknownKeys(files.get(i), environment);
            assertThat(asJavaWrites(launcher.places()))
                    .as(contents.get(i))
                    .isEqualTo(places(SettingsReader.strict(environment)));
        }
    }

    /** A Path has no slash at its end, and none twice. */
    private static List<String> asJavaWrites(List<String> places) {
        List<String> written = new ArrayList<>(places);
        written.subList(0, 3).replaceAll(place -> Path.of(place).toString());
        return written;
    }

    private static List<String> places(Settings settings) {
        return List.of(
                settings.runDir().toString(),
                settings.stateDir().toString(),
                settings.logFile().toString(),
                settings.realRuncCommand().orElse(""));
    }

    /** The launcher passes over those lines. */
    private static void dropUnknownKeys(Path file, Map<String, String> environment)
            throws IOException {
        String[] lines = Files.readString(file, ISO_8859_1).split("\n", -1);
        refusedLines(environment, true).forEach(line -> lines[line - 1] = "#");
        Files.writeString(file, String.join("\n", lines), ISO_8859_1);
    }

    /**
     * The lines that {@link SettingsReader} refuses; 0 is the whole file.
     *
     * @param unknownKeys whether those with an unknown key, or all others
     */
    private static Set<Integer> refusedLines(Map<String, String> environment, boolean unknownKeys) {
        Set<Integer> lines = new TreeSet<>();
        try {
            SettingsReader.strict(environment);
        } catch (SetupException e) {
            for (String problem : String.valueOf(e.getMessage()).split("\n(?=/)", -1)) {
                Matcher line = LINE.matcher(problem);
                if (problem.contains(": unknown key ") == unknownKeys) {
                    lines.add(line.find() ? Integer.parseInt(line.group(1)) : 0);
                }
            }
        }
        return lines;
    }

    private List<Launcher> launcher(Map<String, String> settings, List<Path> files)
            throws IOException, InterruptedException {
        return launcher(List.of(PRINT.toString()), settings, files);
    }

    private List<Launcher> launcher(
            List<String> program, Map<String, String> settings, List<Path> files)
            throws IOException, InterruptedException {
        List<Launcher> read = new ArrayList<>();
        List<String> command = new ArrayList<>(program);
        files.forEach(file -> command.add(file.toString()));
        Path out = folder.resolve("out");
        ProcessBuilder builder = new ProcessBuilder(command).redirectOutput(out.toFile());
        builder.environment().keySet().removeIf(key -> key.startsWith("TARDIS_"));
        builder.environment().putAll(settings);
        assertThat(builder.start().waitFor()).isZero();
        String[] fields = Files.readString(out, UTF_8).split("\0", -1);
        for (int i = 0; i + 5 <= fields.length - 1; i += 5) {
            read.add(new Launcher(fields[i], Arrays.asList(fields).subList(i + 1, i + 5)));
        }
        assertThat(read).hasSameSizeAs(files);
        return read;
    }

    private static List<String> vectors() throws IOException {
        return Files.readAllLines(VECTORS).stream()
                .filter(line -> !line.isBlank() && !line.startsWith("#"))
                .map(line -> unescape(line.substring(line.indexOf('|') + 1).strip()))
                .toList();
    }

    private static String unescape(String text) {
        return REPEATED.matcher(text)
                .replaceAll(it -> "a".repeat(Integer.parseInt(it.group(1))))
                .translateEscapes();
    }

    /** Two vectors, with some bytes removed, repeated, or replaced by those that mean something. */
    private static String mutate(List<String> vectors, Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 2; i++) {
            text.append(vectors.get(random.nextInt(vectors.size())));
            text.append(random.nextBoolean() ? "\n" : "");
        }
        String special = "\n\r\t =#'\"/\0\u00e9\u00c3\u00a9\u00ef\u00bf\u00bd\u00f0_A.";
        for (int i = random.nextInt(4); i > 0 && !text.isEmpty(); i--) {
            int at = random.nextInt(text.length());
            switch (random.nextInt(3)) {
                case 0 -> text.deleteCharAt(at);
                case 1 -> text.insert(at, special.charAt(random.nextInt(special.length())));
                default -> text.setCharAt(at, special.charAt(random.nextInt(special.length())));
            }
        }
        return text.toString();
    }
}
