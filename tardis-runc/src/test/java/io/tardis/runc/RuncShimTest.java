package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.awaitility.Awaitility.await;

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
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
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
    private final FakeListener listener = new FakeListener();
    private final List<Process> processes = new ArrayList<>();
    private final AtomicInteger removals = new AtomicInteger();
    private ContainerRegistry registry;
    private RuncShim shim;

    @BeforeEach
    void makeShim() throws IOException {
        Bundles.write(bundle(), Bundles.ENABLED);
        registry = new ContainerRegistry(containers());
        shim = shim(DELETE_WAIT);
    }

    @AfterEach
    void endProcesses() {
        processes.forEach(Process::destroyForcibly);
    }

    private RuncShim shim(Duration deleteWait) {
        return new RuncShim(
                registry,
                checkpoints(),
                removals::incrementAndGet,
                exitCodes,
                listener,
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
        assertThat(listener.begun()).containsExactly(life);
        assertThat(exitCodes.questions()).isEmpty();
    }

    @Test
    void registersNothingForOtherContainers() throws IOException {
        Bundles.write(bundle(), Bundles.NOT_ENABLED);

        create();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.begun()).isEmpty();
        assertThat(containers()).doesNotExist();
    }

    @Test
    void beginsAnotherLifeWhereTheDeleteOfTheLastWasMissed() {
        create();
        Life missed = registry.open(TC).orElseThrow();

        create();

        Life next = registry.open(TC).orElseThrow();
        assertThat(next.id()).isNotEqualTo(missed.id());
        assertThat(listener.begun()).containsExactly(missed, next);
        assertThat(listener.deleted()).containsExactly(missed);
    }

    @Test
    void endsAMissedLifeWhenItsNameIsGivenToAContainerThatIsNotEnabled() throws IOException {
        create();
        Life missed = registry.open(TC).orElseThrow();
        Bundles.write(bundle(), Bundles.NOT_ENABLED);

        create();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).containsExactly(missed);
        assertThat(containers()).isEmptyDirectory();
    }

    @Test
    void registersNothingWhereTheBundleCannotBeRead() throws IOException {
        Files.delete(bundle().resolve("config.json"));

        assertThatCode(this::create).doesNotThrowAnyException();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.begun()).isEmpty();
    }

    /** The runtime refuses it, and a call that it refuses changes nothing. */
    @Test
    void leavesTheLifeWhereTheContainerIsCreatedWhileItRuns() throws IOException {
        create();
        Process init = init();
        start();
        Life life = registry.open(TC).orElseThrow();

        for (String config : List.of(Bundles.ENABLED, Bundles.NOT_ENABLED, "not JSON")) {
            Bundles.write(bundle(), config);
            assertThat(create()).isTrue();
        }

        assertThat(life.init().orElseThrow().pid()).isEqualTo(init.pid());
        assertThat(registry.open(TC)).hasValue(life);
        assertThat(listener.begun()).hasSize(1);
        assertThat(listener.deleted()).isEmpty();
    }

    @Test
    void goesOnWhereTheRegistryCannotBeWritten() throws IOException {
        Files.createDirectory(directory.resolve("state"));
        Files.writeString(containers(), "a file in the place of the directory");

        assertThatCode(this::create).doesNotThrowAnyException();
        assertThatCode(this::start).doesNotThrowAnyException();
        assertThatCode(this::delete).doesNotThrowAnyException();
    }

    /** The launcher leaves a note of it then, and the life's end is not lost meanwhile. */
    @Test
    void reportsALifeThatCannotBeRegisteredAndAsksForANote() throws IOException {
        Files.createDirectory(directory.resolve("state"));
        Files.writeString(containers(), "a file in the place of the directory");

        assertThat(create()).isFalse();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.begun()).isEmpty();
        assertThat(listener.unregistered())
                .singleElement()
                .satisfies(it -> {
                    assertThat(it.container()).isEqualTo(TC);
                    assertThat(it.createdAt()).isEqualTo(NOW);
                    assertThat(it.bundle()).isEqualTo(bundle());
                });
    }

    /** As on a disk that has room for directories only. */
    @Test
    void leavesNoPartOfALifeThatCannotBeRegistered() throws IOException {
        Files.createDirectories(containers().resolve("default/tc/life.json/in the way"));
        List<Path> tree = tree();

        assertThat(create()).isFalse();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.begun()).isEmpty();
        assertThat(listener.unregistered()).hasSize(1);
        assertThat(tree()).isEqualTo(tree);
    }

    // --- start

    @Test
    void notesThePidAtStart() throws IOException {
        create();
        Life created = registry.open(TC).orElseThrow();
        bundleHasInit(FakeExitCodes.PID);

        start();

        Life life = created.withInit(InitProcess.of(FakeExitCodes.PID));
        assertThat(registry.open(TC)).hasValue(life);
        assertThat(listener.started()).containsExactly(life);
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
    void keepsALifeWhosePidCannotBeRead() {
        create();
        Life created = registry.open(TC).orElseThrow();

        start();

        assertThat(registry.open(TC)).hasValue(created);
    }

    /**
     * Its create came while a process of the life before ran, and the runtime did not refuse it.
     */
    @Test
    void beginsAnotherLifeWhereAnotherProcessStarts() throws IOException {
        create();
        init();
        start();
        Life first = registry.open(TC).orElseThrow();
        create();
        Process init = init();

        start();

        Life second = registry.open(TC).orElseThrow();
        assertThat(second.id()).isNotEqualTo(first.id());
        assertThat(second.init()).hasValue(InitProcess.of(init.pid()));
        assertThat(listener.begun()).extracting(Life::id).containsExactly(first.id(), second.id());
        assertThat(listener.started()).containsExactly(first, second);
        assertThat(listener.deleted()).containsExactly(first);
    }

    @Test
    void endsTheLifeWhereAnotherProcessStartsThatIsNotEnabled() throws IOException {
        create();
        init();
        start();
        Life first = registry.open(TC).orElseThrow();
        Bundles.write(bundle(), Bundles.NOT_ENABLED);
        create();
        init();

        start();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.started()).containsExactly(first);
        assertThat(listener.deleted()).containsExactly(first);
    }

    /** The runtime refuses the second one. */
    @Test
    void leavesTheLifeWhereItIsStartedOnceMoreAfterItsEnd() throws Exception {
        create();
        Process init = init();
        start();
        Life life = registry.open(TC).orElseThrow();
        init.destroyForcibly().waitFor();

        start();

        assertThat(registry.open(TC)).hasValue(life);
        assertThat(listener.begun()).hasSize(1);
        assertThat(listener.deleted()).isEmpty();
    }

    /** Else nobody would watch its process. */
    @Test
    void reportsAStartThatCannotBeWrittenAndAsksForANote() throws IOException {
        create();
        init();
        Path file = containers().resolve("default/tc/life.json");
        Files.delete(file);
        Files.createDirectory(file);

        assertThat(start()).isFalse();

        Life life = registry.open(TC).orElseThrow();
        assertThat(life.init()).isPresent();
        assertThat(listener.started()).containsExactly(life);
    }

    @Test
    void notesNothingAtTheStartOfOtherContainers() throws IOException {
        bundleHasInit(FakeExitCodes.PID);

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
        assertThat(listener.deleted()).hasSize(1);
    }

    @Test
    void waitsForTheCodeOfItsLifeAtDelete() throws IOException {
        liveAndKeepThings();
        String life = registry.open(TC).orElseThrow().id();

        delete();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(life, DELETE_WAIT));
    }

    /** Two managers, or {@code ctr --runc-root}: the same name is another container. */
    @Test
    void leavesALifeAloneInTheCallsOfAnotherRootsContainer() throws IOException {
        Path otherRoot = directory.resolve("other/default");
        create();
        Process process = init();
        start();
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answerExited(0);

        assertThat(shim.before(new RuncCall.Create(TC, otherRoot, bundle()))).isTrue();
        assertThat(shim.before(new RuncCall.Start(TC, otherRoot))).isTrue();
        assertThat(shim.before(new RuncCall.Delete(TC, otherRoot, false))).isTrue();
        process.destroyForcibly().onExit().join();
        assertThat(shim.before(new RuncCall.Delete(TC, otherRoot, true))).isTrue();
        // It has ended, and the runtime has not deleted it.
        Files.createDirectories(runtimeRoot().resolve(TC.id()));
        assertThat(shim.before(new RuncCall.Create(TC, otherRoot, bundle()))).isTrue();

        assertThat(registry.open(TC)).hasValue(life);
        assertThat(reloaded()).hasValue(life);
        assertThat(listener.deleted()).isEmpty();
        assertThat(exitCodes.questions()).isEmpty();
    }

    @Test
    void givesTheNameToAnotherRootsContainerWhenTheProcessIsGone() throws IOException {
        Path otherRoot = directory.resolve("other/default");
        create();
        Life before = registry.open(TC).orElseThrow();

        shim.before(new RuncCall.Create(TC, otherRoot, bundle()));

        assertThat(listener.deleted()).containsExactly(before);
        assertThat(registry.open(TC).orElseThrow().root()).isEqualTo(otherRoot);
    }

    /** The runtime refuses it, and a call that it refuses changes nothing. */
    @Test
    void leavesALifeWhoseProcessRunsAtADeleteWithoutForce() throws IOException {
        liveAndKeepThings(init());
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answerExited(0);
        List<Path> before = tree();

        assertThat(delete()).isTrue();

        assertThat(exitCodes.questions()).isEmpty();
        assertThat(registry.open(TC)).hasValue(life);
        assertThat(listener.deleted()).isEmpty();
        assertThat(tree()).isEqualTo(before);
    }

    /** Of a restore, which has no start. */
    @Test
    void leavesALifeWhoseStartWasNotSeenAndWhoseProcessRuns() throws IOException {
        create();
        Process init = init();

        delete();

        Life life = registry.open(TC).orElseThrow();
        assertThat(life.init()).hasValue(InitProcess.of(init.pid()));
        assertThat(listener.started()).containsExactly(life);
        assertThat(exitCodes.questions()).isEmpty();
    }

    @Test
    void endsALifeWhoseProcessRunsAtADeleteWithForce() throws IOException {
        liveAndKeepThings(init());
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answer(FakeExitCodes::running);

        deleteForce();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).containsExactly(life.withForceDeleted());
        assertThat(containers().resolve("default/tc/kept")).exists();
    }

    /** The runtime takes it for stopped. */
    @Test
    void endsALifeWhoseProcessIsAZombie() throws IOException {
        Process parent = run("sh", "-c", "sleep 0 & echo $!; exec cat");
        String pid = parent.inputReader().readLine();
        await().untilAsserted(
                        () -> assertThat(Path.of("/proc", pid, "stat")).content().contains(" Z "));
        liveAndKeepThings(Long.parseLong(pid));
        Life life = registry.open(TC).orElseThrow();

        delete();

        assertThat(life.init().orElseThrow().exists()).isTrue();
        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(life.id(), DELETE_WAIT));
        assertThat(registry.open(TC)).isEmpty();
    }

    static Stream<Function<ContainerKey, Answer.OfContainer>> answersThatKeep() {
        return Stream.of(
                FakeExitCodes::running,
                FakeExitCodes::lost,
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
        assertThat(containers().resolve("default/tc/life.json")).doesNotExist();
        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).containsExactly(life);
    }

    /** Its directory stays for what others may write there now; the registry removes it at last. */
    @Test
    void leavesAnEmptyDirectoryOfALifeThatNothingIsKeptFor() throws IOException {
        create();
        bundleHasInit(FakeExitCodes.PID);
        start();
        exitCodes.answerExited(1);

        delete();

        assertThat(containers().resolve("default/tc")).isEmptyDirectory();
        registry.removeEmpty(Instant.now().plusSeconds(60));
        assertThat(containers()).isEmptyDirectory();
    }

    /** They come beside each other where the first one takes longer than its launcher waits. */
    @ParameterizedTest
    @MethodSource("allAnswers")
    void aDeleteThatWaitsLeavesTheLifeThatBeginsMeanwhile(
            Function<ContainerKey, Answer.OfContainer> answer) throws IOException {
        liveAndKeepThings();
        Life first = registry.open(TC).orElseThrow();
        List<Path> before = tree();
        exitCodes.answer(container -> {
            create();
            return answer.apply(container);
        });

        delete();

        Life second = registry.open(TC).orElseThrow();
        assertThat(second.id()).isNotEqualTo(first.id());
        assertThat(listener.begun()).extracting(Life::id).containsExactly(first.id(), second.id());
        assertThat(listener.deleted()).extracting(Life::id).containsOnly(first.id());
        assertThat(tree()).isEqualTo(before);
        assertThat(reloaded()).hasValue(second);
    }

    static Stream<Function<ContainerKey, Answer.OfContainer>> allAnswers() {
        return Stream.concat(Stream.of(answerExited(0)), answersThatKeep());
    }

    @Test
    void aCleanUpRemovesNothingOnceTheNextLifeBegan() throws IOException {
        liveAndKeepThings();
        Life first = registry.open(TC).orElseThrow();
        create();
        Life second = registry.open(TC).orElseThrow();
        List<Path> before = tree();

        shim.cleanUp(first);

        assertThat(registry.open(TC)).hasValue(second);
        assertThat(tree()).isEqualTo(before);
        assertThat(reloaded()).hasValue(second);
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
    void waitsForTheRecordOfAnEndThatIsKnownEvenWhereDeleteDoesNotWait() throws IOException {
        liveAndKeepThings();
        shim = shim(Duration.ZERO);
        listener.knowEnd(registry.open(TC).orElseThrow());
        exitCodes.answerExited(0);

        delete();

        assertThat(exitCodes.questions())
                .singleElement()
                .satisfies(question -> assertThat(question.maxWait()).isPositive());
        assertThat(exitCodes.questions().getFirst().maxWait()).isEqualTo(shim.longestWait());
        assertThat(containers().resolve("default/tc")).doesNotExist();
    }

    @Test
    void doesNotWaitForAnEndThatNobodyKnows() throws IOException {
        liveAndKeepThings();
        String life = registry.open(TC).orElseThrow().id();
        shim = shim(Duration.ZERO);
        exitCodes.answer(FakeExitCodes::running);

        delete();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(life, Duration.ZERO));
    }

    /** No store gives one; what it would remove cannot be brought back. */
    @Test
    void keepsEverythingWhereTheAnswerIsOfAnotherLife() throws IOException {
        liveAndKeepThings();
        exitCodes.answerExited(0, "another-life");

        delete();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(containers().resolve("default/tc/kept")).exists();
        assertThat(checkpoints().resolve("default/tc/kept")).exists();
    }

    @Test
    void cleansUpWhereTheAnswerNamesTheLife() throws IOException {
        liveAndKeepThings();
        exitCodes.answerExited(0, registry.open(TC).orElseThrow().id());

        delete();

        assertThat(containers().resolve("default/tc")).doesNotExist();
    }

    @Test
    void waitsForNothingAfterAFailedCreate() {
        create();
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answer(FakeExitCodes::running);

        deleteForce();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(life.id(), Duration.ZERO));
        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).containsExactly(life); // not marked: no end will be assumed
        assertThat(listener.lost()).isEmpty();
    }

    @Test
    void aFailedCreateLeavesNoTrace() throws IOException {
        create();

        deleteForce();

        assertThat(containers()).isEmptyDirectory();
        assertThat(checkpoints()).doesNotExist();
        assertThat(reloaded()).isEmpty();
    }

    @Test
    void aFailedCreateLeavesWhatOthersKeep() throws IOException {
        Path kept = containers().resolve("default/tc/kept");
        Files.createDirectories(kept);
        create();

        deleteForce();

        assertThat(kept).exists();
        assertThat(kept.getParent()).isDirectoryNotContaining("glob:**life*");
    }

    @Test
    void waitsForNothingWhereTheContainerWasNeverStarted() {
        create();
        String life = registry.open(TC).orElseThrow().id();

        delete();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(life, Duration.ZERO));
    }

    @Test
    void aLifeWhoseStartWasNotSeenCountsAllTheSame() throws IOException {
        for (boolean force : List.of(false, true)) {
            create();
            bundleHasInit(FakeExitCodes.PID);
            exitCodes.answer(FakeExitCodes::running);

            shim.before(new RuncCall.Delete(TC, runtimeRoot(), force));

            Life life = listener.deleted().getLast();
            assertThat(life.init().orElseThrow().pid()).isEqualTo(FakeExitCodes.PID);
            assertThat(life.forceDeleted()).isEqualTo(force);
            assertThat(listener.started().getLast().id()).isEqualTo(life.id());
        }
        assertThat(exitCodes.questions())
                .extracting(FakeExitCodes.Question::maxWait)
                .containsExactly(DELETE_WAIT, Duration.ZERO);
    }

    @Test
    void waitsForNothingAndMarksTheLifeWhenForceComesFirst() throws IOException {
        liveAndKeepThings();
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answer(FakeExitCodes::running);

        deleteForce();

        assertThat(exitCodes.questions())
                .containsExactly(new FakeExitCodes.Question(life.id(), Duration.ZERO));
        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).containsExactly(life.withForceDeleted());
        assertThat(containers().resolve("default/tc/kept")).exists();
    }

    @Test
    void marksNoLifeWhoseEndIsKnown() throws IOException {
        liveAndKeepThings();
        Life life = registry.open(TC).orElseThrow();
        exitCodes.answerExited(137);

        deleteForce();

        assertThat(listener.deleted()).containsExactly(life);
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

        assertThat(registry.open(TC)).isEmpty();
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

    private boolean create() {
        return shim.before(new RuncCall.Create(TC, runtimeRoot(), bundle()));
    }

    private boolean start() {
        return shim.before(new RuncCall.Start(TC, runtimeRoot()));
    }

    private boolean delete() {
        return shim.before(new RuncCall.Delete(TC, runtimeRoot(), false));
    }

    private boolean deleteForce() {
        return shim.before(new RuncCall.Delete(TC, runtimeRoot(), true));
    }

    private void bundleHasInit(long pid) throws IOException {
        Files.writeString(bundle().resolve("init.pid"), Long.toString(pid));
    }

    /** A process that stands for a container's first, and its pid in the bundle. */
    private Process init() throws IOException {
        Process process = run("cat");
        bundleHasInit(process.pid());
        return process;
    }

    private Process run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).start();
        processes.add(process);
        return process;
    }

    /** What the next daemon finds. */
    private Optional<Life> reloaded() {
        ContainerRegistry next = new ContainerRegistry(containers());
        next.load();
        return next.open(TC);
    }

    /**
     * Creates and starts a container that keeps a file in each of its directories; its process is
     * gone.
     */
    private void liveAndKeepThings() throws IOException {
        liveAndKeepThings(FakeExitCodes.PID);
    }

    private void liveAndKeepThings(Process init) throws IOException {
        liveAndKeepThings(init.pid());
    }

    private void liveAndKeepThings(long pid) throws IOException {
        create();
        bundleHasInit(pid);
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
        return container -> FakeExitCodes.exited(container, status, Optional.empty());
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
