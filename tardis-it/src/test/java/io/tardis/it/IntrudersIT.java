package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Another local user is where the daemon should be, or somebody names what is not a container. */
@RequiresContainers
class IntrudersIT {

    private static final Duration SOON = Duration.ofSeconds(30);
    private static final String NOBODY = "65534";

    /** As a container id, a namespace or an exec id: each leads to another place, or tries to. */
    private static final List<String> ELSEWHERE =
            List.of(
                    "..",
                    ".",
                    "../precious",
                    "../../precious",
                    "../../../precious",
                    "/precious",
                    "a/../../../precious",
                    "tc/../../precious",
                    "..%2fprecious");

    @RegisterExtension
    final Lab lab =
            Lab.withTardis()
                    .setting("TARDIS_RECORD", "all")
                    .setting("TARDIS_CTR_CMD", ScriptedSource::command);

    private final ScriptedSource source = new ScriptedSource();

    @ContainerTest
    void aServerOfAnotherUserOnThePortsIsNotBelieved() throws IOException {
        Container before = lab.container("before").enabled();
        source.play(lab.tardis());
        before.startEndingWith(5);
        lab.tardis().killDaemon();
        lab.expectErrors();

        try (LiveProcess _ = squatter("TARDIS_QUERY_ENDPOINT");
                LiveProcess _ = squatter("TARDIS_EVENTS_ENDPOINT")) {
            before.end();
            assertThat(before.remove()).isEqualTo(5);
            Container during = lab.container("during").enabled();
            assertThat(during.sh("exit 3").code()).isEqualTo(3);
            Outcome daemon = lab.tardis().tardis("daemon");

            assertThat(daemon.code()).isNotEqualTo(0);
            assertThat(daemon.err()).contains("tcp://127.0.0.1:");
            assertThat(lab.tardis().isCleaned(before)).isFalse();
            assertThat(lab.tardis().log()).doesNotContain("is cleaned up");
        }
    }

    @ContainerTest
    void aSocketOfAnotherUserIsToldNothingAndNotBelieved() throws IOException {
        Path run = Files.createDirectories(lab.tardis().socket().getParent());
        lab.expectErrors();
        Path output = lab.scratch().folder("out").resolve("socket");
        try (LiveProcess foreign =
                Command.of(
                                Machine.PYTHON,
                                TardisNode.script("someone_elses_socket.py").toString(),
                                lab.tardis().socket().toString(),
                                NOBODY)
                        .start(output)) {
            foreign.awaitLine("start", SOON, "ready"::equals);
            Outcome _ = Command.of("chown", "-R", NOBODY, run.toString()).run().orFail();

            Outcome container = lab.container("tc").enabled().sh("exit 3");
            Outcome daemon = lab.tardis().tardis("daemon");

            assertThat(container.code()).isEqualTo(3);
            assertThat(container.out() + container.err()).isEmpty();
            assertThat(daemon.code()).isNotEqualTo(0);
            assertThat(daemon.err()).contains(run.toString(), "nobody");
            assertThat(foreign.isAlive()).isTrue();
            assertThat(foreign.lines()).hasSizeGreaterThan(1).allMatch(IntrudersIT::isToldNothing);
        }
    }

    private static boolean isToldNothing(String line) {
        return line.equals("ready") || line.startsWith("told 0");
    }

    @ContainerTest
    void idsThatLeadElsewhereInEventsAreNoContainers() throws IOException {
        for (String id : ELSEWHERE) {
            source.exit("default", id, id);
            source.exit("default", "tc", id);
            source.exit(id, "tc", "tc");
        }
        source.exit("default", "last", "last");
        Map<String, String> precious = precious();
        source.play(lab.tardis());
        ScriptedSource.await(lab.tardis(), lab.container("last"));

        assertThat(lab.tardis().replayAll())
                .allSatisfy(event -> {
                    assertThat(event.path("namespace").asString()).isEqualTo("default");
                    assertThat(event.path("container_id").asString()).isIn("tc", "last");
                    assertThat(event.path("id").asString()).isNotIn(ELSEWHERE);
                });
        assertThat(tree()).isEqualTo(precious);
    }

    @ContainerTest
    void idsThatLeadElsewhereOnTheRuntimesCommandLineChangeNothing() throws IOException {
        for (String id : ELSEWHERE) {
            source.exit("default", id, id);
        }
        source.exit("default", "last", "last");
        source.play(lab.tardis());
        ScriptedSource.await(lab.tardis(), lab.container("last"));
        Map<String, String> precious = precious();

        TardisNode node =
                lab.tardis().with("TARDIS_REAL_RUNC_CMD", Programs.find("true").toString());
        Path bundle = lab.scratch().folder("bundle");
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        for (String id : ELSEWHERE) {
            for (List<String> who :
                    List.of(List.of("/run/default", id), List.of("/run/default/" + id, "tc"))) {
                for (List<String> act :
                        List.of(
                                List.of("create", "--bundle", bundle.toString()),
                                List.of("start"),
                                List.of("delete"),
                                List.of("delete", "--force"))) {
                    List<String> arguments = new ArrayList<>(List.of("--root", who.getFirst()));
                    arguments.addAll(act);
                    arguments.add(who.getLast());
                    Outcome outcome =
                            node.runcCommand(arguments.toArray(String[]::new)).run().orFail();
                    assertThat(outcome.out() + outcome.err()).isEmpty();
                }
            }
        }

        Map<String, String> now = tree();
        // "/run/default/precious" is a root as good as any other: its namespace is "precious".
        now.keySet().removeIf(path -> path.contains("state/containers/precious/tc"));
        assertThat(now).isEqualTo(precious);
    }

    @ContainerTest
    void idsThatLeadElsewhereInQueriesAreRefused() throws IOException {
        source.play(lab.tardis());
        Map<String, String> precious = precious();
        for (String id : ELSEWHERE) {
            List<JsonNode> answers =
                    lab.tardis()
                            .askAll(
                                    question("exit_code", "default", id),
                                    question("exit_code", id, "tc"),
                                    question("list", id, "tc"));

            assertThat(answers)
                    .as(id)
                    .allSatisfy(answer -> {
                        assertThat(answer.path("error").asString()).isEqualTo("bad_request");
                        assertThat(answer.has("exit_code")).isFalse();
                    });
        }
        assertThat(tree()).isEqualTo(precious);
    }

    private static String question(String op, String namespace, String id) {
        return "{\"op\":\"%s\",\"namespace\":\"%s\",\"container_id\":\"%s\"}"
                .formatted(op, namespace, id);
    }

    /** A foreign server that runs as another user; its program comes with the command line. */
    private LiveProcess squatter(String key) throws IOException {
        String program = Files.readString(TardisNode.script("foreign_server.py"));
        LiveProcess server =
                Command.of(
                                "setpriv",
                                "--reuid=" + NOBODY,
                                "--regid=" + NOBODY,
                                "--clear-groups",
                                Machine.PYTHON,
                                "-c",
                                program,
                                lab.tardis().setting(key))
                        .start(lab.scratch().folder("out").resolve(key));
        server.awaitLine("start", SOON, "ready"::equals);
        return server;
    }

    /** Files wherever the ids could lead, and all that is there. */
    private Map<String, String> precious() throws IOException {
        Path state = lab.tardis().stateDir();
        Path root = lab.scratch().root();
        for (Path place :
                List.of(
                        state.resolve("precious"),
                        state.resolve("containers/precious"),
                        state.resolve("containers/default/kept"),
                        Path.of(lab.tardis().setting("TARDIS_CHECKPOINT_DIR")).resolve("precious"),
                        root.resolve("tardis/precious"),
                        root.resolve("precious"))) {
            Files.writeString(Files.createDirectories(place).resolve("file"), place.toString());
        }
        return tree();
    }

    /** What is on disk, apart from what the daemon writes for itself. */
    private Map<String, String> tree() throws IOException {
        Map<String, String> found = new TreeMap<>();
        Path root = lab.scratch().root();
        for (Path top : List.of(root.resolve("tardis"), root.resolve("precious"))) {
            try (Stream<Path> paths = Files.walk(top)) {
                for (Path path : paths.toList()) {
                    String name = root.relativize(path).toString();
                    if (!name.matches(".*(event_listener|exits\\.db|/run|/log|script|\\.out).*")) {
                        boolean file = Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS);
                        found.put(name, file ? Files.readString(path) : "");
                    }
                }
            }
        }
        return found;
    }
}
