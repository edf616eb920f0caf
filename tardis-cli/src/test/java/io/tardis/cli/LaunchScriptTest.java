package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@code lib/tardis-jvm}, whose Java is a script that prints what surroundings it got. Every shell
 * that is installed runs it.
 */
@Timeout(60)
class LaunchScriptTest {

    private static final Path SCRIPT = Path.of("../tardis-dist/src/main/sh/tardis-jvm");

    /** What the shells themselves add. */
    private static final Set<String> OF_SHELLS = Set.of("PWD", "OLDPWD", "SHLVL", "_");

    private static final int CAP_SYS_RESOURCE = 24;

    @TempDir private Path directory;
    private Path program;

    static Stream<String> shells() {
        return Stream.of("dash", "bash", "bash --posix", "busybox sh")
                .filter(shell -> Files.isExecutable(Path.of("/usr/bin", shell.split(" ", -1)[0])));
    }

    @BeforeEach
    void install() throws IOException {
        program = script("home/lib/tardis-jvm", Files.readString(SCRIPT.toAbsolutePath()));
        Path _ = script("home/bin/tardis", "");
        Files.writeString(
                Files.createDirectories(directory.resolve("java")).resolve("release"),
                "JAVA_VERSION=\"25.0.1\"\n");
        script(
                "java/bin/java",
                """
                #!/bin/sh
                streams=$(for i in 0 1 2; do
                    [ -e /proc/$$/fd/$i ] && echo "$i open" || echo "$i closed"
                done)
                exec >'%s'
                umask
                ulimit -c
                cut -d ' ' -f 19 /proc/$$/stat
                cat /proc/$$/oom_score_adj
                echo "$streams"
                pwd -P
                echo "$@"
                tr '\\0' '\\n' </proc/$$/environ
                """
                        .formatted(printed()));
    }

    @ParameterizedTest
    @MethodSource("shells")
    void passesOnlyWhatTardisReads(String shell) throws Exception {
        Map<String, String> environment = new TreeMap<>();
        for (String foreign :
                List.of(
                        "JAVA_TOOL_OPTIONS",
                        "_JAVA_OPTIONS",
                        "JDK_JAVA_OPTIONS",
                        "CLASSPATH",
                        "LD_LIBRARY_PATH",
                        "LC_MESSAGES",
                        "LANG",
                        "CDPATH",
                        "ENV",
                        "SECRET",
                        "TTRPC_ADDRESS")) {
            environment.put(foreign, "/nowhere");
        }
        environment.put("MANY_LINES", "x'\nexport TARDIS_FAKE='1'\nself=/tmp\n\"");
        environment.put("LC_ALL", "POSIX");
        environment.put("HOME", "/home/jürgen");
        environment.put("TZ", "Europe/Berlin");
        environment.put("TARDIS_STATE_DIR", "/var/lib/x y'\"$\\");
        environment.put("TARDIS_NOT_KNOWN", "1"); // for Java to refuse
        environment.put("CONTAINERD_ADDRESS", "/run/containerd.sock");

        Map<String, String> got = new TreeMap<>(run(shell, "get", environment, "").environment());

        got.keySet().removeAll(OF_SHELLS);
        assertThat(got.remove("PATH")).contains("/usr/bin");
        assertThat(got)
                .containsExactlyInAnyOrderEntriesOf(
                        Map.of(
                                "HOME", "/home/jürgen",
                                "JAVA_HOME", directory.resolve("java").toString(),
                                "LC_ALL", "C.UTF-8",
                                "TZ", "Europe/Berlin",
                                "TARDIS_STATE_DIR", "/var/lib/x y'\"$\\",
                                "TARDIS_NOT_KNOWN", "1",
                                "CONTAINERD_ADDRESS", "/run/containerd.sock"));
    }

    @ParameterizedTest
    @MethodSource("shells")
    void saysWhetherTheCallersTerminalIsAscii(String shell) throws Exception {
        Map<String, String> utf8 = Map.of("LC_ALL", "", "LC_CTYPE", "", "LANG", "de_DE.utf8");
        Map<String, String> ascii = Map.of("LC_ALL", "C", "LANG", "de_DE.UTF-8");

        assertThat(run(shell, "report", utf8, "").arguments()).contains("-Dtardis.ascii=false ");
        assertThat(run(shell, "report", ascii, "").arguments()).contains("-Dtardis.ascii=true ");
    }

    @ParameterizedTest
    @MethodSource("shells")
    void worksWithoutStreamsDirectoryPathAndHome(String shell) throws Exception {
        Path gone = Files.createDirectory(directory.resolve("gone"));

        Surroundings seen =
                run(
                        shell,
                        "get",
                        Map.of("PATH", ""),
                        "cd '%s'; /bin/rmdir '%s'; exec <&- >&- 2>&-".formatted(gone, gone));

        assertThat(seen.streams()).containsExactly("0 open", "1 open", "2 open");
        assertThat(seen.workingDirectory()).isEqualTo("/");
        assertThat(seen.environment().get("PATH")).contains("/usr/sbin");
    }

    @ParameterizedTest
    @MethodSource("shells")
    void givesADaemonScoresAndLimitsOfItsOwn(String shell) throws Exception {
        String inherited =
                "umask 777; ulimit -S -c 8; echo 300 >/proc/$$/oom_score_adj; exec nice -n 7";

        Map<String, String> ofSystemd = Map.of("INVOCATION_ID", "1");
        Path systemd = script("systemd", "#!/bin/sh\n\"$@\"\nexit $?\n");

        Surroundings daemon = run(shell, "daemon", Map.of(), inherited);
        Surroundings byService = run(shell, "daemon", ofSystemd, inherited);
        Surroundings ofService = run(shell, "daemon", ofSystemd, inherited + " '" + systemd + "'");
        Surroundings command = run(shell, "get", Map.of(), inherited);

        // Without the capability no process may go below what was inherited before the 300.
        String oomScore = mayLowerItsOomScore() ? "-500" : "0";
        for (Surroundings own : List.of(daemon, byService)) {
            assertThat(List.of(own.umask(), own.coreLimit(), own.nice(), own.oomScore()))
                    .containsExactly("0022", "0", "0", oomScore);
            assertThat(own.environment()).doesNotContainKey("INVOCATION_ID");
        }
        assertThat(ofService.environment()).containsEntry("INVOCATION_ID", "1");
        for (Surroundings other : List.of(ofService, command)) {
            assertThat(List.of(other.umask(), other.coreLimit(), other.nice(), other.oomScore()))
                    .containsExactly("0777", "8", "7", "300");
        }
    }

    @ParameterizedTest
    @MethodSource("shells")
    void passesOnWhereTheNextVersionWillBe(String shell) throws Exception {
        Path versions = Files.createDirectory(directory.resolve("tardis.versions"));
        Files.move(directory.resolve("home"), versions.resolve("1"));
        Path link = directory.resolve("tardis");
        Files.createSymbolicLink(link, Path.of("tardis.versions/1"));
        Path otherLink = directory.resolve("other");
        Files.createSymbolicLink(otherLink, versions.resolve("1/lib"));
        String expected = "-Dtardis.path=" + link + " ";

        // As a launcher calls it, which knows only where it is itself; and by links of any kind.
        for (Path called :
                List.of(
                        versions.resolve("1/lib/tardis-jvm"),
                        link.resolve("lib/tardis-jvm"),
                        otherLink.resolve("tardis-jvm"))) {
            program = called;
            assertThat(run(shell, "daemon", Map.of(), "").arguments())
                    .as("%s", called)
                    .contains(expected, "-Dtardis.home=" + versions.resolve("1") + " ");
        }

        Files.move(versions.resolve("1"), directory.resolve("by-hand"));
        Files.delete(link);
        Files.createSymbolicLink(link, directory.resolve("by-hand"));
        program = link.resolve("lib/tardis-jvm");
        assertThat(run(shell, "daemon", Map.of(), "").arguments()).contains(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-Dx=1 -Dy=2"})
    void putsTardisJavaOptsLast(String options) throws Exception {
        assertThat(run("dash", "get x", Map.of("TARDIS_JAVA_OPTS", options), "").arguments())
                .endsWith((options + " -m io.tardis.cli/io.tardis.cli.Main get x").strip());
    }

    /** Whether this process has CAP_SYS_RESOURCE. */
    private static boolean mayLowerItsOomScore() throws IOException {
        String effective =
                Files.readAllLines(Path.of("/proc/self/status")).stream()
                        .filter(line -> line.startsWith("CapEff:"))
                        .map(line -> line.substring("CapEff:".length()).strip())
                        .findFirst()
                        .orElseThrow();
        return (Long.parseUnsignedLong(effective, 16) >> CAP_SYS_RESOURCE & 1) == 1;
    }

    /** What the stand-in for Java was given. */
    private record Surroundings(List<String> lines) {
        String umask() {
            return lines.get(0);
        }

        String coreLimit() {
            return lines.get(1);
        }

        String nice() {
            return lines.get(2);
        }

        String oomScore() {
            return lines.get(3);
        }

        List<String> streams() {
            return lines.subList(4, 7);
        }

        String workingDirectory() {
            return lines.get(7);
        }

        String arguments() {
            return lines.get(8);
        }

        Map<String, String> environment() {
            Map<String, String> variables = new TreeMap<>();
            lines.subList(9, lines.size()).stream()
                    .map(line -> line.split("=", 2))
                    .forEach(it -> variables.put(it[0], it[1]));
            return variables;
        }
    }

    /**
     * Runs {@code bin/tardis}.
     *
     * @param surroundings shell that is run before; it may end with a program that runs the rest
     */
    private Surroundings run(
            String shell, String command, Map<String, String> environment, String surroundings)
            throws IOException, InterruptedException {
        Files.deleteIfExists(printed());
        String exec = surroundings.contains("exec nice") ? " " : "; exec ";
        String line =
                (surroundings.isEmpty() ? "exec " : surroundings + exec)
                        + "/usr/bin/"
                        + shell
                        + " '"
                        + program
                        + "' "
                        + command;
        ProcessBuilder builder = new ProcessBuilder("/bin/sh", "-c", line);
        builder.environment().clear();
        builder.environment().put("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        builder.environment().put("JAVA_HOME", directory.resolve("java").toString());
        builder.environment().putAll(environment);
        Path out = directory.resolve("out");
        Process process = builder.redirectErrorStream(true).redirectOutput(out.toFile()).start();
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(printed()).as("%s", Files.readString(out)).exists();
        return new Surroundings(Arrays.asList(Files.readString(printed()).strip().split("\n", -1)));
    }

    private Path printed() {
        return directory.resolve("printed");
    }

    private Path script(String name, String text) throws IOException {
        Path file = directory.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
        if (!file.toFile().setExecutable(true)) {
            throw new IOException(file + " cannot be made executable");
        }
        return file;
    }
}
