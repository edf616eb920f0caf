package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What clients that are not Java, and not ours, get over ZeroMQ. */
@RequiresContainers
class PythonClientsIT {

    private static final JsonMapper JSON = JsonMapper.shared();

    @RegisterExtension static final Lab lab = Lab.withTardis();

    @ContainerTest
    void subscriberToOneContainerGetsEveryExitOfItAndOfNoOther() {
        Container tc = lab.freshContainer().enabled();
        Container longer = lab.container(tc.id() + "-longer").enabled();
        Container plain = lab.container(tc.id());
        List<Integer> codes = List.of(0, 3, 137, 0, 255, 1);
        lab.tardis().bringUpDaemon();
        Proc daemon = lab.tardis().runningDaemon();
        String topic = "/tasks/exit/default/" + tc.id() + "/";
        try (LiveProcess subscriber = lab.tardis().subscribe(topic)) {
            awaitSubscription(subscriber);
            lab.tardis().awaitReceiving(lab.container("probe"));

            for (int code : codes) {
                Outcome _ = tc.sh("exit " + code);
                Outcome _ = longer.sh("exit 9");
            }
            Outcome _ = plain.sh("exit 77");

            Wait.until(
                    () -> "seven exits:\n" + subscriber.output(),
                    SOON,
                    () -> exits(subscriber).size() > codes.size());
            // A heartbeat later, anything that was published by mistake would be there, too.
            int lines = subscriber.lines().size();
            Wait.until("heartbeat", SOON, () -> subscriber.lines().size() > lines);
            List<Integer> expected = new ArrayList<>(codes);
            expected.add(77);
            assertThat(exits(subscriber))
                    .extracting(event -> event.path("exit_status").asInt(-1))
                    .isEqualTo(expected);
            assertThat(exits(subscriber))
                    .allSatisfy(event -> {
                        assertThat(event.path("v").asInt()).isEqualTo(1);
                        assertThat(event.path("topic").asString()).isEqualTo("/tasks/exit");
                        assertThat(event.path("namespace").asString()).isEqualTo("default");
                        assertThat(event.path("container_id").asString()).isEqualTo(tc.id());
                        assertThat(event.path("id").asString()).isEqualTo(tc.id());
                        assertThat(event.path("pid").asInt()).isPositive();
                        assertThat(event.path("exited_at").asString()).endsWith("Z");
                    });
            assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        }
    }

    @ContainerTest
    void subscriberToEverythingSeesSequenceWithoutGapAndCanReplayIt() {
        lab.tardis().bringUpDaemon();
        try (LiveProcess subscriber = lab.tardis().subscribe("/tasks/")) {
            awaitSubscription(subscriber);
            lab.tardis().awaitReceiving(lab.container("probe"));
            Container container = lab.freshContainer().enabled();
            container.startEndingWith(3);
            Outcome _ = container.exec("e1", "/bin/sh", "-c", "exit 42");
            container.end();
            container.remove();
            String topic = "/tasks/exit/default/" + container.id() + "/\t";
            subscriber.awaitLine("exit", SOON, line -> line.startsWith(topic));

            assertThat(subscriber.lines())
                    .anyMatch(line ->
                            line.startsWith(
                                    "/tasks/exec-exit/default/" + container.id() + "/e1/\t"));
            List<JsonNode> seen = events(subscriber, "/tasks/");
            for (int i = 1; i < seen.size(); i++) {
                assertThat(seen.get(i).path("seq").asLong())
                        .isEqualTo(seen.get(i - 1).path("seq").asLong() + 1);
            }
            long before = seen.getFirst().path("seq").asLong() - 1;
            JsonNode replay =
                    ask(lab.tardis(), "{\"op\":\"replay\",\"after\":" + before + ",\"limit\":500}");
            List<JsonNode> replayed = new ArrayList<>();
            replay.path("events").forEach(replayed::add);
            assertThat(replayed.subList(0, seen.size())).isEqualTo(seen);
        }
    }

    @ContainerTest
    void subscriberOfTheReadmeReceivesExits() throws IOException {
        String readme = Files.readString(Path.of("../README.md"));
        String snippet =
                readme.substring(
                        readme.indexOf("import json, zmq"), readme.indexOf("```\n\nA subscriber"));
        assertThat(snippet).contains("tcp://127.0.0.1:5580");
        String code =
                snippet.replace(
                        "tcp://127.0.0.1:5580",
                        lab.tardis().environment().get("TARDIS_EVENTS_ENDPOINT"));
        Container tc = lab.freshContainer().enabled();
        lab.tardis().bringUpDaemon();
        try (LiveProcess subscriber =
                Command.of(Machine.PYTHON, "-u", "-c", code)
                        .start(lab.scratch().folder("readme").resolve(tc.id()))) {
            // It does not say when it has subscribed.
            Wait.until(
                    () -> "an exit: " + subscriber.output(),
                    SOON,
                    () -> {
                        assertThat(tc.sh("exit 7").code()).isEqualTo(7);
                        return subscriber.output().contains("\n");
                    });
            assertThat(subscriber.output()).startsWith(tc.id() + " 7\n");
        }
    }

    @ContainerTest
    void queryClientIsAnsweredWhateverItAsks() {
        Container ended = lab.container("ended").enabled();
        Container running = lab.container("running").enabled();
        lab.tardis().bringUpDaemon();
        assertThat(ended.sh("exit 3").code()).isEqualTo(3);
        running.startEndingWith(0);

        List<JsonNode> answers =
                lab.tardis()
                        .askAllFromPython(
                                "{\"op\":\"ping\"}",
                                "{\"op\":\"exit_code\",\"namespace\":\"default\",\"container_id\":\"ended\"}",
                                "{\"op\":\"exit_code\",\"namespace\":\"default\",\"container_id\":\"running\"}",
                                "{\"op\":\"exit_code\",\"namespace\":\"default\",\"container_id\":\"never\"}",
                                "{\"op\":\"exit_code\",\"namespace\":\"other\",\"container_id\":\"ended\"}",
                                "{\"op\":\"list\",\"namespace\":\"default\",\"limit\":100}",
                                "{\"op\":\"replay\",\"after\":0,\"limit\":500}",
                                "{\"op\":\"delete_everything\"}",
                                "{\"op\":\"exit_code\"}",
                                "[1,2]",
                                "hello",
                                "",
                                "{\"op\":\"ping\"}");

        assertThat(statuses(answers))
                .containsExactly(
                        "ok", "exited", "running", "unknown", "unknown", "ok", "ok", "error",
                        "error", "error", "error", "error", "ok");
        assertThat(answers.get(0).path("version").asString()).isNotEmpty();
        assertThat(answers.get(0).path("last_seq").asLong()).isPositive();
        assertThat(answers.get(1).path("exit_code").asInt()).isEqualTo(3);
        assertThat(answers.get(1).path("container_id").asString()).isEqualTo("ended");
        assertThat(answers.get(2).has("exit_code")).isFalse();
        assertThat(answers.get(5).path("containers").valueStream())
                .extracting(container -> container.path("container_id").asString())
                .contains("ended");
        assertThat(answers.get(6).path("events").valueStream())
                .anySatisfy(event -> {
                    assertThat(event.path("container_id").asString()).isEqualTo("ended");
                    assertThat(event.path("exit_status").asInt()).isEqualTo(3);
                });
        assertThat(answers.subList(7, 12))
                .allSatisfy(answer -> {
                    assertThat(answer.path("error").asString()).isEqualTo("bad_request");
                    assertThat(answer.path("message").asString()).isNotEmpty();
                });
        running.end();
        assertThat(running.remove()).isEqualTo(0);
    }

    @ContainerTest
    void waitingQueryIsAnsweredByTheEnd() {
        Container container = lab.freshContainer().enabled();
        container.startEndingWith(3);
        String question =
                "{\"op\":\"exit_code\",\"namespace\":\"default\",\"container_id\":\""
                        + container.id()
                        + "\",\"wait_ms\":%d}";

        // The wait is over before the end is there.
        assertThat(ask(lab.tardis(), question.formatted(200)).path("status").asString())
                .isEqualTo("running");
        try (var asked = new Question(lab.tardis(), question.formatted(15_000))) {
            // Another's wait holds nobody up.
            assertThat(ask(lab.tardis(), "{\"op\":\"ping\"}").path("status").asString())
                    .isEqualTo("ok");
            container.end();

            JsonNode answer = asked.answer();

            assertThat(answer.path("status").asString()).isEqualTo("exited");
            assertThat(answer.path("exit_code").asInt()).isEqualTo(3);
        }
        container.remove();
    }

    private static JsonNode ask(TardisNode node, String request) {
        return node.askAllFromPython(request).getFirst();
    }

    private static List<String> statuses(List<JsonNode> answers) {
        return answers.stream().map(answer -> answer.path("status").asString()).toList();
    }

    private static void awaitSubscription(LiveProcess subscriber) {
        subscriber.awaitLine("heartbeat", SOON, line -> line.startsWith("/tardis/heartbeat/\t"));
    }

    private static List<JsonNode> exits(LiveProcess subscriber) {
        return events(subscriber, "/tasks/exit/");
    }

    private static List<JsonNode> events(LiveProcess subscriber, String topic) {
        return subscriber.lines().stream()
                .filter(line -> line.startsWith(topic))
                .map(line -> JSON.readTree(line.substring(line.indexOf('\t') + 1)))
                .toList();
    }

    /** A query that is under way in a thread of its own. */
    private static final class Question implements AutoCloseable {
        private final CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        private final Thread thread;

        Question(TardisNode node, String request) {
            thread = Thread.ofPlatform().start(() -> complete(node, request));
        }

        private void complete(TardisNode node, String request) {
            try {
                answer.complete(PythonClientsIT.ask(node, request));
            } catch (AssertionError | RuntimeException e) {
                answer.completeExceptionally(e);
            }
        }

        JsonNode answer() {
            return answer.join();
        }

        @Override
        public void close() {
            try {
                thread.join(SOON);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
