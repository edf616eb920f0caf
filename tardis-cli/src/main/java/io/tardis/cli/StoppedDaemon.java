package io.tardis.cli;

import io.tardis.listener.InstanceLock;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * How a daemon was started that may have to be started once more: by its own installation, which
 * may be another one than this command's.
 *
 * @param command its command line
 * @param environment {@code KEY=VALUE} each
 */
record StoppedDaemon(List<String> command, List<String> environment) {

    private static final Pattern NUL = Pattern.compile("\0");

    /** The daemon that has {@code stateDir} now; empty if none has. */
    static Optional<StoppedDaemon> remember(Path stateDir) throws IOException {
        OptionalLong pid = InstanceLock.holder(stateDir);
        if (pid.isEmpty()) {
            return Optional.empty();
        }
        Path process = Path.of("/proc", Long.toString(pid.getAsLong()));
        List<String> command =
                words(process.resolve("cmdline")).filter(it -> !it.equals("--take-over")).toList();
        return Optional.of(new StoppedDaemon(command, words(process.resolve("environ")).toList()));
    }

    private static Stream<String> words(Path file) throws IOException {
        // As the JDK writes them back, whatever the bytes are.
        String text =
                new String(
                        Files.readAllBytes(file),
                        Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8")));
        return text.isEmpty() ? Stream.of() : NUL.splitAsStream(text);
    }

    /** Starts it in a session of its own. */
    Process startAgain(Redirect log) throws IOException {
        ProcessBuilder builder = BackgroundDaemon.detached(command, log);
        Map<String, String> variables = builder.environment();
        variables.clear();
        for (String variable : environment) {
            int equals = variable.indexOf('=');
            if (equals > 0) {
                variables.put(variable.substring(0, equals), variable.substring(equals + 1));
            }
        }
        return builder.start();
    }
}
