package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.SetupException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class ColdShimTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");

    /** Starts no daemon; one may be there already. */
    private static final class FakeStarter implements ColdShim.DaemonStarter {
        private final List<Duration> patience = new ArrayList<>();
        private boolean succeeds = true;
        private Runnable whenAsked = () -> {};

        @Override
        public boolean ensureRunning(Duration maxWait) {
            patience.add(maxWait);
            whenAsked.run();
            return succeeds;
        }
    }

    @TempDir private Path directory;
    private final FakeStarter starter = new FakeStarter();
    private final FakeExitCodes exitCodes = new FakeExitCodes();
    private final List<Life> started = new CopyOnWriteArrayList<>();
    private ContainerRegistry registry;
    private ColdShim shim;

    @BeforeEach
    void makeShim() throws IOException {
        Bundles.write(directory.resolve("bundle"), Bundles.ENABLED);
        registry = new ContainerRegistry(directory.resolve("containers"));
        shim = coldShim(Duration.ofSeconds(5));
    }

    private ColdShim coldShim(Duration timeLeft) {
        return new ColdShim(
                socket(), starter, shim((container, _) -> new Answer.Unknown(container)), timeLeft);
    }

    @Test
    void startsTheDaemonWhenAContainerIsMade() {
        runc("create", "--bundle", "bundle", "tc");

        assertThat(registry.open(TC)).isPresent();
        assertThat(starter.patience).hasSize(1);
    }

    @Test
    void registersALifeBeforeItStartsTheDaemon() {
        List<Life> registeredBefore = new ArrayList<>();
        starter.whenAsked = () -> registeredBefore.addAll(registry.openLives());

        runc("create", "--bundle", "bundle", "tc");

        assertThat(registeredBefore).extracting(Life::container).containsExactly(TC);
    }

    @Test
    void registersALifeOnceWhereTheDaemonRuns() {
        try (ShimServer _ = daemon()) {
            runc("create", "--bundle", "bundle", "tc");
        }

        assertThat(registry.lives(TC)).hasSize(1);
    }

    @Test
    void leavesTheDeleteToTheDaemon() {
        exitCodes.answerExited(0);
        runc("create", "--bundle", "bundle", "tc");
        try (ShimServer _ = daemon()) {
            runc("delete", "tc");
        }

        assertThat(exitCodes.questions()).hasSize(1);
        assertThat(directory.resolve("containers/default/tc")).doesNotExist();
    }

    @Test
    void notesThePidAndTellsTheDaemon() throws IOException {
        runc("create", "--bundle", "bundle", "tc");
        Files.writeString(directory.resolve("bundle/init.pid"), "6615");
        starter.whenAsked =
                () ->
                        assertThat(registry.open(TC).orElseThrow().init())
                                .as("noted first, if the launcher has no patience left")
                                .hasValue(InitProcess.of(6615));
        try (ShimServer _ = daemon()) {
            runc("start", "tc");
        }

        assertThat(registry.open(TC).orElseThrow().init()).hasValue(InitProcess.of(6615));
        assertThat(started).extracting(Life::container).containsExactly(TC);
    }

    @Test
    void keepsEverythingAtDeleteWithoutADaemon() throws IOException {
        starter.succeeds = false;
        runc("create", "--bundle", "bundle", "tc");
        Files.writeString(directory.resolve("containers/default/tc/kept"), "something");

        runc("delete", "tc");

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).isPresent();
        assertThat(directory.resolve("containers/default/tc/kept")).exists();
    }

    @Test
    void doesItsPartWhereTheDaemonRunsAndDoesNotAnswer() throws IOException {
        runc("create", "--bundle", "bundle", "tc");
        Files.writeString(directory.resolve("bundle/init.pid"), "6615");

        runc("start", "tc");
        assertThat(registry.open(TC).orElseThrow().init()).hasValue(InitProcess.of(6615));

        runc("delete", "tc");
        assertThat(registry.open(TC)).isEmpty();
    }

    @Test
    void doesItsPartWhereTheDaemonCannotBeStarted() throws IOException {
        starter.whenAsked =
                () -> {
                    throw new SetupException("no such program");
                };
        runc("create", "--bundle", "bundle", "tc");
        Files.writeString(directory.resolve("bundle/init.pid"), "6615");

        runc("start", "tc");
        assertThat(registry.open(TC).orElseThrow().init()).hasValue(InitProcess.of(6615));

        runc("delete", "tc");
        assertThat(registry.open(TC)).isEmpty();
    }

    @Test
    void hasLessPatienceThanTheLauncherAndNoneWhereTheTimeIsOver() {
        runc("create", "--bundle", "bundle", "tc");
        shim = coldShim(Duration.ofMillis(1700));
        runc("delete", "tc");
        shim = coldShim(Duration.ofMillis(-200));
        runc("create", "--bundle", "bundle", "tc");

        assertThat(starter.patience)
                .containsExactly(Duration.ofMillis(4000), Duration.ofMillis(700), Duration.ZERO);
    }

    @Test
    void startsNothingForOtherCommandLines() {
        runc("state", "tc");
        runc("exec", "create");

        assertThat(starter.patience).isEmpty();
        assertThat(directory.resolve("containers")).doesNotExist();
    }

    private void runc(String... words) {
        List<String> arguments = new ArrayList<>(List.of("--root", "/r/default"));
        arguments.addAll(List.of(words));
        shim.before(arguments, directory);
    }

    private ShimServer daemon() {
        return ShimServer.open(
                socket(), () -> {}, shim(exitCodes, started::add), Duration.ofSeconds(5));
    }

    private RuncShim shim(ExitCodes codes) {
        return shim(codes, _ -> {});
    }

    private RuncShim shim(ExitCodes codes, Consumer<Life> onStart) {
        return new RuncShim(
                registry,
                directory.resolve("checkpoint"),
                () -> {},
                codes,
                new FakeWitness(onStart, _ -> false, _ -> {}),
                Duration.ZERO,
                () -> Instant.EPOCH);
    }

    private Path socket() {
        return directory.resolve("tardis.sock");
    }
}
