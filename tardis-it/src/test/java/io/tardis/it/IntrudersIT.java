package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

/** Another local user is where the daemon should be, or an id leads to what is no container. */
@RequiresContainers
class IntrudersIT {

    private static final int BAD_SETUP = 2;
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

            assertThat(daemon.code()).isEqualTo(BAD_SETUP);
            assertThat(daemon.err()).contains("tcp://127.0.0.1:");
            assertThat(lab.tardis().isCleaned(before)).isFalse();
            assertThat(lab.tardis().log()).doesNotContain("is cleaned up");
        }
    }

    @ContainerTest
    void aSocketOfAnotherUserIsSentNothingAndNotBelieved() throws IOException {
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
            assertThat(daemon.code()).isEqualTo(BAD_SETUP);
            assertThat(daemon.err()).contains(run.toString(), "nobody");
            assertThat(foreign.isAlive()).isTrue();
            assertThat(foreign.lines()).hasSizeGreaterThan(1).allMatch(IntrudersIT::isNothingSent);
        }
    }

    /** Also where the permissions let all users in, the kernel reports which one connects. */
    @ContainerTest
    void anotherUserOnTheSocketIsNotServed() throws IOException {
        source.play(lab.tardis());
        Proc daemon = lab.tardis().runningDaemon();
        Path bundle = lab.scratch().folder("bundle");
        Files.writeString(
                bundle.resolve("config.json"), "{\"process\":{\"env\":[\"TARDIS_ENABLE=1\"]}}");
        Path socket = lab.tardis().socket();
        Outcome _ = Command.of("chmod", "666", socket.toString()).run().orFail();
        for (Path path = socket.getParent();
                path != null && path.startsWith(lab.scratch().root());
                path = path.getParent()) {
            Outcome _ = Command.of("chmod", "755", path.toString()).run().orFail();
        }

        Outcome nobody = create(bundle, "theirs", asNobody());
        Outcome root = create(bundle, "ours", List.of());

        assertThat(nobody.orFail().out()).isEqualTo("connected\nanswered \n");
        assertThat(lab.tardis().containerDir(lab.container("theirs"))).doesNotExist();
        assertThat(lab.tardis().log().lines())
                .anySatisfy(line -> assertThat(line).contains("nobody, who is not served here"));
        // It was not for the request.
        assertThat(root.orFail().out()).isEqualTo("connected\nanswered WG\n");
        assertThat(lab.tardis().isRegistered(lab.container("ours"))).isTrue();
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
    }

    /** The launcher's request to register a life. */
    private Outcome create(Path bundle, String id, List<String> as) throws IOException {
        List<String> argv = new ArrayList<>(as);
        argv.addAll(
                List.of(
                        Machine.PYTHON,
                        "-c",
                        Files.readString(TardisNode.script("launcher.py")),
                        lab.tardis().socket().toString(),
                        "create",
                        "default",
                        id,
                        "/run/default",
                        bundle.toString(),
                        "0"));
        return Command.of(argv).run();
    }

    private static List<String> asNobody() {
        return List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups");
    }

    private static boolean isNothingSent(String line) {
        return line.equals("ready") || line.startsWith("received 0");
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
                .extracting(event ->
                        Stream.of("namespace", "container_id", "id")
                                .map(key -> event.path(key).asString())
                                .toList())
                .containsExactly(List.of("default", "last", "last"));
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
        List<String> argv = new ArrayList<>(asNobody());
        argv.addAll(List.of(Machine.PYTHON, "-c", program, lab.tardis().setting(key)));
        LiveProcess server = Command.of(argv).start(lab.scratch().folder("out").resolve(key));
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
                    if (!name.matches(
                            ".*(event_listener|exits\\.db|/run|/log|script|\\.out|/\\.removed).*")) {
                        boolean file = Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS);
                        found.put(name, file ? Files.readString(path) : "");
                    }
                }
            }
        }
        return found;
    }
}
