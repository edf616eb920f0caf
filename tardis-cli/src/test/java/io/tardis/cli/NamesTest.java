package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.Query;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NamesTest {

    private static final String OTHER_ID = "3f9c12ab0000".repeat(5) + "0123";

    @TempDir private Path directory;
    private Tardis tardis;

    @BeforeEach
    void install() throws IOException {
        tardis = new Tardis(directory);
    }

    @Test
    void asksForAWholeIdAlone() {
        OfContainer tc = Events.exited(Events.TC, 7);
        try (FakeDaemon daemon =
                new FakeDaemon(tardis.environment().settings(), Lives.daemon(tc))) {
            assertThat(find("tc")).contains(tc);
            assertThat(daemon.queries())
                    .containsExactly(
                            new Query.ExitCode(Events.TC, Optional.empty(), Duration.ZERO));
        }
    }

    @Test
    void takesAWholeIdBeforeAName() {
        OfContainer id = Events.exited(Events.TC, 7);

        assertThat(find("tc", Lives.named("default", "other", "tc").running(), id)).contains(id);
    }

    @Test
    void findsANameInEveryNamespaceUnlessOneIsNamed() {
        OfContainer web = Lives.named("moby", Lives.ID, "web").running();

        assertThat(find("web", web)).contains(web);
        assertThat(find("moby/web", web)).contains(web);
        assertThat(find("default/web", web)).isEmpty();
        assertThat(find("we", web)).isEmpty();
    }

    @Test
    void takesTheNewestContainerOfAName() {
        Lives.Builder newer = Lives.named("moby", OTHER_ID, "web").at(60);

        assertThat(find("web", Lives.named("moby", Lives.ID, "web").exited(1), newer.exited(0)))
                .contains(newer.exited(0));
        assertThat(find("web", newer.lost(), Lives.named("moby", Lives.ID, "web").exited(0)))
                .contains(newer.lost());
        assertThat(find("web", newer.exited(7), Lives.named("moby", Lives.ID, "web").lost()))
                .contains(newer.exited(7));
    }

    /** The code of the one before would be another container's. */
    @ParameterizedTest
    @ValueSource(longs = {-3600, 0, 3600})
    void takesTheNewestContainerOfANameWhateverTheClockDid(long second) {
        Lives.Builder web = Lives.named("moby", Lives.ID, "web").at(3600);
        Lives.Builder next = Lives.named("moby", OTHER_ID, "web").at(3600 + second);
        OfContainer older = new Answer.Exited(web.exit(10, 0), true);
        OfContainer newer = new Answer.Exited(next.exit(11, 7), true);

        assertThat(find("web", older, newer)).contains(newer);
        assertThat(find("web", older, next.running())).contains(next.running());
        assertThat(find("web", next.lostAfter(10), older)).contains(next.lostAfter(10));
        assertThat(find("web", web.lostAfter(10), newer)).contains(newer);
        assertThat(find("web", web.lostAfter(9), next.lostAfter(10))).contains(next.lostAfter(10));
    }

    @Test
    void refusesANameOfTwoNamespaces() {
        assertThatThrownBy(() ->
                        find(
                                "web",
                                Lives.named("moby", "one", "web").running(),
                                Lives.named("default", "two", "web").running()))
                .isInstanceOf(AmbiguousNameException.class);
    }

    @Test
    void findsTheBeginningOfAnIdThatAProgramMade() {
        OfContainer web = Lives.named("moby", Lives.ID, "web").running();

        assertThat(find(Lives.ID.substring(0, 12), web)).contains(web);
        assertThat(find("3f9c", web)).contains(web);
        assertThat(find(Lives.ID, web)).contains(web);
        assertThat(find("3f9", web)).isEmpty();
        assertThat(find("k8s.io/3f9c", web)).isEmpty();
    }

    @Test
    void takesANameBeforeTheBeginningOfAnId() {
        OfContainer named = Lives.named("moby", OTHER_ID, "3f9c").running();

        assertThat(find("3f9c", Lives.named("moby", Lives.ID, "web").running(), named))
                .contains(named);
    }

    /** Elsewhere, the same word may mean something else. */
    @Test
    void findsAnIdThatSomebodyChoseInItsNamespaceOnly() {
        OfContainer zero = Events.exited(new ContainerKey("other", "zero-1"), 0);

        assertThat(find("other/zero", zero)).contains(zero);
        assertThat(find("zero", zero)).isEmpty();
        assertThat(find("zero-1", zero)).isEmpty();
    }

    @Test
    void findsThePodWithItsOnlyContainer() {
        OfContainer nginx = Lives.inPod(Lives.ID, "shop", "web-0", "nginx").exited(1);
        OfContainer sandbox = Lives.sandbox(OTHER_ID, "shop", "web-0").running();

        assertThat(find("pod/web-0", sandbox, nginx)).contains(nginx);
        assertThat(find("pod/web-0/nginx", sandbox, nginx)).contains(nginx);
        assertThat(find("pod/web-0/other", sandbox, nginx)).isEmpty();
        assertThat(find("pod/web", sandbox, nginx)).isEmpty();
        assertThat(find(OTHER_ID.substring(0, 12), sandbox, nginx)).contains(sandbox);
    }

    @Test
    void takesTheNewestLifeOfAPodsContainer() {
        OfContainer older = Lives.inPod(Lives.ID, "shop", "web-0", "nginx").exited(1);
        OfContainer newer = Lives.inPod(OTHER_ID, "shop", "web-0", "nginx").at(60).running();

        assertThat(find("pod/web-0", older, newer)).contains(newer);
    }

    @Test
    void tellsThePodsOfTwoNamespacesApart() {
        OfContainer shop = Lives.inPod(Lives.ID, "shop", "web-0", "nginx").exited(1);
        OfContainer test = Lives.inPod(OTHER_ID, "test", "web-0", "nginx").running();
        ContainerName name = new ContainerName.Reader().convert("pod/web-0");

        assertThatThrownBy(() -> find(name, shop, test))
                .isInstanceOf(AmbiguousNameException.class)
                .hasMessageContaining("pod/web-0 means 2 containers:")
                .hasMessageContaining("k8s.io/" + OTHER_ID + "  pod/web-0/nginx  running");
        assertThat(find(name.in("shop").orElseThrow(), shop, test)).contains(shop);
        assertThat(find(name.in("none").orElseThrow(), shop, test)).isEmpty();
    }

    @Test
    void namesTwentyOfManyContainers() {
        OfContainer[] many =
                IntStream.range(0, 25)
                        .mapToObj(i -> Lives.inPod("c" + i, "shop", "web-0", "n" + i).running())
                        .toArray(OfContainer[]::new);

        assertThatThrownBy(() -> find("pod/web-0", many))
                .hasMessageContaining(
                        "pod/web-0 means 25 containers:\n  k8s.io/c0  pod/web-0/n0  running\n")
                .hasMessageContaining("pod/web-0/n19  ")
                .hasMessageEndingWith("\n  and 5 more");
    }

    @Test
    void namesThemAsATerminalMayGetThem() {
        assertThatThrownBy(() ->
                        find(
                                "pod/web-0",
                                Lives.inPod("one", "shop", "web-0", "a\u001b[31m").running(),
                                Lives.inPod("two", "shop", "web-0", "b\u202e").running()))
                .hasMessageContaining("  pod/web-0/a?[31m  ")
                .hasMessageContaining("  pod/web-0/b?  ");
    }

    @Test
    void listsTheIdsThatBeginAlike() {
        assertThatThrownBy(() ->
                        find(
                                "beef",
                                Events.exited(new ContainerKey("default", "beef-2"), 0),
                                Events.exited(new ContainerKey("default", "beef-3"), 0)))
                .hasMessage(
                        """
                        beef means 2 containers:
                          default/beef-2  exited 0
                          default/beef-3  exited 0\
                        """);
    }

    private Optional<OfContainer> find(String text, OfContainer... lives) {
        return find(new ContainerName.Reader().convert(text), lives);
    }

    private Optional<OfContainer> find(ContainerName name, OfContainer... lives) {
        try (FakeDaemon _ =
                new FakeDaemon(tardis.environment().settings(), Lives.daemon(List.of(), lives))) {
            return find(name);
        }
    }

    private Optional<OfContainer> find(String text) {
        return find(new ContainerName.Reader().convert(text));
    }

    private Optional<OfContainer> find(ContainerName name) {
        try (DaemonQueries queries = DaemonQueries.open(tardis.environment().settings())) {
            return new Names(queries.client())
                    .find(name, it -> queries.client().exitCode(it, Duration.ZERO));
        }
    }
}
