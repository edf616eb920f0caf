package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Stands in for {@code ctr events}, to print what containerd never would: {@code source.py}. */
final class ScriptedSource {

    private final List<String> script = new ArrayList<>();

    /** What {@code TARDIS_CTR_CMD} is to be. */
    static String command(TardisNode node) {
        return Machine.PYTHON + " " + TardisNode.script("source.py") + " " + scriptFile(node);
    }

    /** The end of a container's first process, in namespace {@code default}. */
    ScriptedSource exit(String id, int status, int pid) {
        return add("{\"exit\":\"%s\",\"status\":%d,\"pid\":%d}".formatted(id, status, pid));
    }

    /** The end of a process with 0, of whatever name. */
    ScriptedSource exit(String namespace, String container, String id) {
        return add(
                """
                {"text":"2026-01-01 00:00:00.5 +0000 UTC %s /tasks/exit \
                {\\"container_id\\":\\"%s\\",\\"id\\":\\"%s\\",\\"pid\\":%d,\
                \\"exited_at\\":\\"2026-01-01T00:00:00.5Z\\"}"}\
                """
                        .formatted(namespace, container, id, 1000 + script.size()));
    }

    /** A container whose first process ends at a time, in namespace {@code default}. */
    ScriptedSource life(String id, Path bundle, int status, int pid, Instant end) {
        String begin = end.minusSeconds(1).toString();
        return text(
                        begin,
                        "create",
                        "\"container_id\":\"%s\",\"bundle\":\"%s\"".formatted(id, bundle))
                .text(
                        end.toString(),
                        "exit",
                        "\"container_id\":\"%s\",\"id\":\"%s\",\"pid\":%d,\"exit_status\":%d,\"exited_at\":\"%s\""
                                .formatted(id, id, pid, status, end));
    }

    private ScriptedSource text(String time, String event, String fields) {
        String at = time.replace('T', ' ').replace("Z", " +0000 UTC");
        String line = "%s default /tasks/%s {%s}".formatted(at, event, fields);
        return add("{\"text\":\"" + line.replace("\"", "\\\"") + "\"}");
    }

    /** So many lines that are cut short, no JSON, or of the wrong type. */
    ScriptedSource malformed(int lines) {
        return add("{\"bad\":" + lines + "}");
    }

    /** So many lines that are not UTF-8. */
    ScriptedSource notUtf8(int lines) {
        return add("{\"not_utf8\":" + lines + "}");
    }

    /** A line of so many bytes and some more. */
    ScriptedSource longLine(int bytes) {
        return add("{\"long\":" + bytes + "}");
    }

    /** What follows is printed when this file is there. */
    ScriptedSource await(Path file) {
        return add("{\"await\":\"" + file + "\"}");
    }

    private ScriptedSource add(String line) {
        script.add(line);
        return this;
    }

    /** Starts a daemon that reads the script. */
    void play(TardisNode node) throws IOException {
        Files.write(scriptFile(node), script);
        node.bringUpDaemon();
    }

    /** Waits until the end of the container {@code last} is answered. */
    static void await(TardisNode node, Container last) {
        Wait.until(
                () -> "exit of " + last + "; log:\n" + node.log(),
                SOON,
                () -> node.status(last).equals("exited"));
        assertThat(node.sources()).as("living ctr").isEmpty();
    }

    private static Path scriptFile(TardisNode node) {
        return Path.of(node.setting("TARDIS_CONFIG")).resolveSibling("script");
    }
}
