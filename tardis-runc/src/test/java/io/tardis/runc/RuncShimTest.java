package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.tardis.core.UnavailableException;
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
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A life, by the calls that containerd makes. */
class RuncShimTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Instant NOW = Instant.parse("2026-11-23T06:51:23.418Z");
    private static final Duration DELETE_WAIT = Duration.ofMillis(700);

    @TempDir private Path directory;
    private final FakeExitCodes exitCodes = new FakeExitCodes();
    private final List<Life> started = new ArrayList<>();
    private final Set<Life> told = new HashSet<>();
    private final AtomicInteger removals = new AtomicInteger();
    private ContainerRegistry registry;
    private RuncShim shim;

    @BeforeEach
    void makeShim() throws IOException {
        Bundles.write(bundle(), Bundles.ENABLED);
        registry = new ContainerRegistry(containers());
        shim = shim(DELETE_WAIT);
    }

    private RuncShim shim(Duration deleteWait) {
        return new RuncShim(
                registry,
                checkpoints(),
                removals::incrementAndGet,
                exitCodes,
                new FakeWitness(started::add, told::contains, _ -> {}),
                deleteWait,
                () -> NOW);
    }

    // --- create, restore

    @Test
    void registersALifeWhenAnEnabledContainerIsMade() {
        create();

        Life life = registry.open(TC).orElseThrow();
        assertThat(life.createdAt()).isEqualTo(NOW);
        assertThat(life.bundle()).isEqualTo(bundle());
        assertThat(life.init()).isEmpty();
        assertThat(life.forceDeleted()).isFalse();
        assertThat(exitCodes.questions()).isEmpty();
    }

    @Test
    void registersNothingForOtherContainers() throws IOException {
        Bundles.write(bundle(), Bundles.NOT_ENABLED);

        create();

        assertThat(registry.lives(TC)).isEmpty();
        assertThat(containers()).doesNotExist();
    }

    @Test
    void beginsAnotherLifeWhereTheDeleteOfTheLastWasMissed() {
        create();
        Life missed = registry.open(TC).orElseThrow();

        create();

        assertThat(registry.open(TC).orElseThrow().id()).isNotEqualTo(missed.id());
        assertThat(registry.last(TC)).hasValue(missed);
    }

    @Test
    void endsAMissedLifeWhenItsNameIsGivenToAContainerThatIsNotEnabled() throws IOException {
        create();
        Life missed = registry.open(TC).orElseThrow();
        Bundles.write(bundle(), Bundles.NOT_ENABLED);

        create();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).hasValue(missed);
    }

    @Test
    void registersNothingWhereTheBundleCannotBeRead() throws IOException {
        Files.delete(bundle().resolve("config.json"));

        assertThatCode(this::create).doesNotThrowAnyException();

        assertThat(registry.lives(TC)).isEmpty();
    }

    @Test
    void goesOnWhereTheRegistryCannotBeWritten() throws IOException {
        Files.createDirectory(directory.resolve("state"));
        Files.writeString(containers(), "a file in the place of the directory");

        assertThatCode(this::create).doesNotThrowAnyException();
        assertThatCode(this::start).doesNotThrowAnyException();
        assertThatCode(this::delete).doesNotThrowAnyException();
    }

    // --- start

    @Test
    void notesThePidAtStart() throws IOException {
        create();
        Life created = registry.open(TC).orElseThrow();
        Files.writeString(bundle().resolve("init.pid"), Long.toString(FakeExitCodes.PID));

        start();

        Life life = created.withInit(InitProcess.of(FakeExitCodes.PID));
        assertThat(registry.open(TC)).hasValue(life);
        assertThat(started).containsExactly(life);
    }

    @Test
    void notesThePidFromTheRuntimesStateAtStart() throws IOException {
        create();
        Files.createDirectories(runtimeRoot().resolve("tc"));
        Files.writeString(
                runtimeRoot().resolve("tc").resolve("state.json"), "{\"init_process_pid\":6616}");

        start();

        assertThat(registry.open(TC).orElseThrow().init()).hasValue(InitProcess.of(6616));
    }

    @Test
    void keepsALifeWhosePidCannotBeTold() {
        create();
        Life created = registry.open(TC).orElseThrow();

        start();

        assertThat(registry.open(TC)).hasValue(created);
    }

    @Test
    void notesNothingAtTheStartOfOtherContainers() throws IOException {
        Files.writeString(bundle().resolve("init.pid"), Long.toString(FakeExitCodes.PID));

        start();

        assertThat(containers()).doesNotExist();
    }

    // --- delete

    @Test
    void removesAllThatIsKeptAfterACleanExit() throws IOException {
        liveAndKeepThings();
        exitCodes.answerExited(0);

        delete();

        assertThat(containers().resolve("default/tc")).doesNotExist();
        assertThat(checkpoints().resolve("default/tc")).doesNotExist();
        assertThat(containers().resolve("default/other/kept")).exists();
        assertThat(checkpoints().resolve("default/other/kept")).exists();
        assertThat(checkpoints().resolve("second/tc/kept")).exists();
        assertThat(removals).hasValue(1);
    }

    @Test
    void waitsForACodeAtDelete() throws IOException {
        liveAndKeepThings();

        delete();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(TC, DELETE_WAIT));
    }

    static Stream<Function<ContainerKey, Answer.OfContainer>> answersThatKeep() {
        return Stream.of(
                Answer.Running::new,
                Answer.Lost::new,
                Answer.Unknown::new,
                answerExited(1),
                answerExited(137),
                answerExited(256),
                answerExited(1L << 31),
                _ -> {
                    throw new UnavailableException("no answer");
                },
                _ -> {
                    throw new IllegalStateException("a defect");
                });
    }

    @ParameterizedTest
    @MethodSource("answersThatKeep")
    void keepsAllAfterAnyOtherEnd(Function<ContainerKey, Answer.OfContainer> answer)
            throws IOException {
        liveAndKeepThings();
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answer(answer);

        delete();

        assertThat(containers().resolve("default/tc/kept")).exists();
        assertThat(checkpoints().resolve("default/tc/kept")).exists();
        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).hasValue(life);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1})
    void asksNothingAndDoesNothingAtTheSecondDelete(long code) throws IOException {
        liveAndKeepThings();
        exitCodes.answerExited(code);
        delete();
        List<Path> before = tree();

        deleteForce();

        assertThat(exitCodes.questions()).hasSize(1);
        assertThat(tree()).isEqualTo(before);
    }

    @Test
    void asksNothingWhenOtherContainersAreDeleted() throws IOException {
        Files.createDirectories(checkpoints().resolve("default/tc"));

        delete();
        deleteForce();

        assertThat(exitCodes.questions()).isEmpty();
        assertThat(checkpoints().resolve("default/tc")).exists();
    }

    @Test
    void waitsForTheRecordOfAnEndThatIsToldEvenWhereDeleteDoesNotWait() throws IOException {
        liveAndKeepThings();
        shim = shim(Duration.ZERO);
        told.add(registry.open(TC).orElseThrow());
        exitCodes.answerExited(0);

        delete();

        assertThat(exitCodes.questions())
                .singleElement()
                .satisfies(question -> assertThat(question.maxWait()).isPositive());
        assertThat(exitCodes.questions().getFirst().maxWait()).isEqualTo(shim.longestWait());
        assertThat(containers().resolve("default/tc")).doesNotExist();
    }

    @Test
    void doesNotWaitForAnEndThatNobodyTold() throws IOException {
        liveAndKeepThings();
        shim = shim(Duration.ZERO);
        exitCodes.answer(Answer.Running::new);

        delete();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(TC, Duration.ZERO));
    }

    /** A store that cannot read the registry may know a life before this one only. */
    @Test
    void keepsEverythingWhereTheAnswerIsOfAnotherLife() throws IOException {
        liveAndKeepThings();
        exitCodes.answerExited(0, FakeExitCodes.PID + 1);

        delete();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(containers().resolve("default/tc/kept")).exists();
        assertThat(checkpoints().resolve("default/tc/kept")).exists();
    }

    @Test
    void waitsForNothingAfterAFailedCreate() {
        create();
        exitCodes.answer(Answer.Running::new);

        deleteForce();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(TC, Duration.ZERO));
        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC).orElseThrow().forceDeleted()).isFalse();
    }

    @Test
    void waitsForNothingWhereTheContainerWasNeverStarted() {
        create();

        delete();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(TC, Duration.ZERO));
    }

    @Test
    void aLifeWhoseStartWasNotSeenCountsAllTheSame() throws IOException {
        for (boolean force : List.of(false, true)) {
            create();
            Files.writeString(bundle().resolve("init.pid"), Long.toString(FakeExitCodes.PID));
            exitCodes.answer(Answer.Running::new);

            shim.before(new RuncCall.Delete(TC, runtimeRoot(), force));

            Life life = registry.last(TC).orElseThrow();
            assertThat(life.init().orElseThrow().pid()).isEqualTo(FakeExitCodes.PID);
            assertThat(life.forceDeleted()).isEqualTo(force);
        }
        assertThat(exitCodes.questions())
                .extracting(FakeExitCodes.Question::maxWait)
                .containsExactly(DELETE_WAIT, Duration.ZERO);
    }

    @Test
    void waitsForNothingAndMarksTheLifeWhenForceComesFirst() throws IOException {
        liveAndKeepThings();
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answer(Answer.Running::new);

        deleteForce();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(TC, Duration.ZERO));
        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).hasValue(life.withForceDeleted());
        assertThat(containers().resolve("default/tc/kept")).exists();
    }

    @Test
    void marksNoLifeWhoseEndIsKnown() throws IOException {
        liveAndKeepThings();
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answerExited(137);

        deleteForce();

        assertThat(registry.last(TC)).hasValue(life);
    }

    @Test
    void cleansUpWhenForceComesFirstAfterACleanExit() throws IOException {
        liveAndKeepThings();
        exitCodes.answerExited(0);

        deleteForce();

        assertThat(containers().resolve("default/tc")).doesNotExist();
        assertThat(checkpoints().resolve("default/tc")).doesNotExist();
    }

    @Test
    void startsFromTheBeginningAfterEachLife() throws IOException {
        liveAndKeepThings();
        exitCodes.answerExited(1);
        delete();
        liveAndKeepThings();
        exitCodes.answerExited(0);

        delete();

        assertThat(registry.lives(TC)).isEmpty();
        assertThat(containers().resolve("default/tc")).doesNotExist();
    }

    // --- links

    @Test
    void removesALinkInThePlaceOfADirectoryAndNotWhatItNames() throws IOException {
        liveAndKeepThings();
        Path elsewhere = precious("elsewhere");
        Path container = containers().resolve("default/tc");
        Path checkpoint = checkpoints().resolve("default/tc");
        Files.copy(container.resolve("life.json"), elsewhere.resolve("life.json"));
        replaceByLink(container, elsewhere);
        replaceByLink(checkpoint, elsewhere);
        exitCodes.answerExited(0);

        delete();

        assertThat(container).doesNotExist();
        assertThat(checkpoint).doesNotExist();
        assertThat(elsewhere.resolve("precious")).exists();
    }

    @Test
    void removesALinkInADirectoryAndNotWhatItNames() throws IOException {
        liveAndKeepThings();
        Path elsewhere = precious("elsewhere");
        Files.createSymbolicLink(containers().resolve("default/tc/link"), elsewhere);
        Files.createSymbolicLink(checkpoints().resolve("default/tc/link"), elsewhere);
        exitCodes.answerExited(0);

        delete();

        assertThat(containers().resolve("default/tc")).doesNotExist();
        assertThat(checkpoints().resolve("default/tc")).doesNotExist();
        assertThat(elsewhere.resolve("precious")).exists();
    }

    @Test
    void removesNothingThroughALinkInThePlaceOfANamespaceAndCleansUpTheRest() throws IOException {
        liveAndKeepThings();
        Path elsewhere = precious("elsewhere/tc");
        replaceByLink(checkpoints().resolve("default"), directory.resolve("elsewhere"));
        exitCodes.answerExited(0);

        assertThatCode(this::delete).doesNotThrowAnyException();

        assertThat(elsewhere.resolve("precious")).exists();
        assertThat(containers().resolve("default/tc")).doesNotExist();
        assertThat(registry.open(TC)).isEmpty();
    }

    private void create() {
        shim.before(new RuncCall.Create(TC, runtimeRoot(), bundle()));
    }

    private void start() {
        shim.before(new RuncCall.Start(TC, runtimeRoot()));
    }

    private void delete() {
        shim.before(new RuncCall.Delete(TC, runtimeRoot(), false));
    }

    private void deleteForce() {
        shim.before(new RuncCall.Delete(TC, runtimeRoot(), true));
    }

    /** Creates and starts a container that keeps a file in each of its directories. */
    private void liveAndKeepThings() throws IOException {
        create();
        Files.writeString(bundle().resolve("init.pid"), Long.toString(FakeExitCodes.PID));
        start();
        for (String kept : List.of("default/tc", "default/other", "second/tc")) {
            for (Path root : List.of(containers(), checkpoints())) {
                Path nested = Files.createDirectories(root.resolve(kept).resolve("nested"));
                Files.writeString(nested.resolveSibling("kept"), "something");
                Files.writeString(nested.resolve("kept"), "something");
            }
        }
    }

    private Path precious(String name) throws IOException {
        Path elsewhere = Files.createDirectories(directory.resolve(name));
        Files.writeString(elsewhere.resolve("precious"), "somebody else's");
        return elsewhere;
    }

    private static void replaceByLink(Path place, Path target) throws IOException {
        Files.move(place, place.resolveSibling(place.getFileName() + "-moved"));
        Files.createSymbolicLink(place, target);
    }

    private static Function<ContainerKey, Answer.OfContainer> answerExited(long status) {
        FakeExitCodes exited = new FakeExitCodes();
        exited.answerExited(status);
        return container -> exited.exitCode(container, Duration.ZERO);
    }

    private List<Path> tree() throws IOException {
        try (Stream<Path> paths = Files.walk(directory)) {
            return paths.sorted().toList();
        }
    }

    private Path bundle() {
        return directory.resolve("bundle");
    }

    private Path containers() {
        return directory.resolve("state/containers");
    }

    private Path checkpoints() {
        return directory.resolve("state/checkpoint");
    }

    private Path runtimeRoot() {
        return directory.resolve("runc/default");
    }
}
