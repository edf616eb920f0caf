package io.tardis.cli;

import io.tardis.core.event.ContainerKey;
import io.tardis.testkit.FakeLauncher;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;

/** An installation of Tardis in a directory of its own, and its {@code tardis} command. */
final class Tardis {

    /** How a command ended, and what it printed. */
    record Result(int status, String out, String err) {}

    private final Path directory;
    private final Map<String, String> variables = new HashMap<>();

    /** Settings that touch nothing outside {@code directory}, and two free ports. */
    Tardis(Path directory) throws IOException {
        this.directory = directory;
        Path config = Files.writeString(directory.resolve("tardis.env"), "");
        try (ServerSocket events = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                ServerSocket queries = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            set("TARDIS_EVENTS_ENDPOINT", "tcp://127.0.0.1:" + events.getLocalPort());
            set("TARDIS_QUERY_ENDPOINT", "tcp://127.0.0.1:" + queries.getLocalPort());
        }
        set("TARDIS_CONFIG", config.toString());
        set("TARDIS_STATE_DIR", directory.resolve("state").toString());
        set("TARDIS_RUN_DIR", directory.resolve("run").toString());
        set("TARDIS_LOG_FILE", directory.resolve("tardis.log").toString());
        set("TARDIS_CTR_CMD", "sleep 60");
    }

    void set(String key, String value) {
        variables.put(key, value);
    }

    Environment environment() {
        return new Environment(variables);
    }

    Path configFile() {
        return directory.resolve("tardis.env");
    }

    Path logFile() {
        return directory.resolve("tardis.log");
    }

    Path stateDir() {
        return directory.resolve("state");
    }

    Path runDir() {
        return directory.resolve("run");
    }

    Path socket() {
        return runDir().resolve("tardis.sock");
    }

    /** Calls the daemon as the launcher does for {@code runc create}; whether it answers go. */
    boolean create(ContainerKey container, Path bundle) {
        return call("create", container, bundle.toString(), "0");
    }

    /** The same for {@code runc start}. */
    boolean startContainer(ContainerKey container) {
        return call("start", container, "", "0");
    }

    /** The same for {@code runc delete}. */
    boolean delete(ContainerKey container, boolean force) {
        return call("delete", container, "", force ? "1" : "0");
    }

    private boolean call(String kind, ContainerKey container, String bundle, String force) {
        return FakeLauncher.call(
                socket(),
                kind,
                container.namespace(),
                container.id(),
                "/run/runc/" + container.namespace(),
                bundle,
                force);
    }

    /** Runs a command in this process. */
    Result run(String... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Result result = runInto(out, arguments);
        return new Result(result.status(), out.toString(StandardCharsets.UTF_8), result.err());
    }

    /** The same with its output in {@code out}; the result has none. */
    Result runInto(OutputStream out, String... arguments) {
        Output output = new Output(out, () -> false);
        StringWriter err = new StringWriter();
        CommandLine commandLine =
                Main.commandLine(environment(), output, arguments)
                        .setErr(new PrintWriter(err, true));
        int status = output.statusAfter(commandLine.execute(arguments), commandLine.getErr());
        return new Result(status, "", err.toString());
    }

    /** Starts a command in a process of its own. */
    TardisProcess start(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(javaCommand());
        command.addAll(List.of(arguments));
        return TardisProcess.start(builder(command), directory);
    }

    /**
     * Installs {@code bin/tardis}, a script that starts this very build, with these settings
     * whoever calls it.
     *
     * @param firstLine a line of shell that is run first
     * @return the installation's directory, for {@code tardis.home}
     */
    Path install(String firstLine) throws IOException {
        Path home = Files.createDirectories(directory.resolve("home"));
        Path program = Files.createDirectories(home.resolve("bin")).resolve("tardis");
        StringBuilder settings = new StringBuilder();
        variables.forEach(
                (key, value) -> settings.append("export %s='%s'\n".formatted(key, value)));
        Files.writeString(
                program,
                "#!/bin/sh\n"
                        + settings
                        + firstLine
                        + "\nexec '"
                        + String.join("' '", javaCommand())
                        + "' \"$@\"\n");
        if (!program.toFile().setExecutable(true)) {
            throw new IOException(program + " cannot be made executable");
        }
        return home;
    }

    /** Ends the daemon, if one runs on the state directory. */
    void stopDaemon() throws IOException, InterruptedException {
        Path pidFile = stateDir().resolve("event_listener.pid");
        if (Files.exists(pidFile)) {
            long pid = Long.parseLong(Files.readString(pidFile).strip());
            ProcessHandle daemon = ProcessHandle.of(pid).orElse(null);
            if (daemon != null) {
                daemon.destroy();
                daemon.onExit().orTimeout(20, TimeUnit.SECONDS).join();
            }
        }
    }

    ProcessBuilder builder(List<String> command) {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().keySet().removeIf(key -> key.startsWith("TARDIS_"));
        builder.environment().putAll(variables);
        return builder;
    }

    /** The tests run on the module path, and so does a process that is started with it. */
    List<String> javaCommand(String... options) throws IOException {
        List<String> all = new ArrayList<>(FastStart.options());
        all.addAll(List.of(options));
        return javaCommand(all);
    }

    List<String> javaCommand(List<String> options, String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(
                List.of(
                        "-Xmx128m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Djava.io.tmpdir=" + directory, // a killed one leaves SQLite's library
                        "--enable-native-access=org.xerial.sqlitejdbc,io.tardis.listener",
                        "--module-path",
                        FastStart.modulePath()));
        command.addAll(options);
        command.addAll(List.of("-m", "io.tardis.cli/io.tardis.cli.Main"));
        command.addAll(List.of(arguments));
        return command;
    }
}
