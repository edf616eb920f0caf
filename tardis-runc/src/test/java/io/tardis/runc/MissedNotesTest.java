package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import io.tardis.core.TardisException;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.ContainerRegistry;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.ChildJvm;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.event.Level;

/** Calls that launchers could not bring to the daemon, and left a note of. */
@Timeout(30)
class MissedNotesTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Path ROOT = Path.of("/r/default");

    @TempDir private Path directory;
    private final FakeExitCodes exitCodes = new FakeExitCodes();
    private final FakeListener listener = new FakeListener();
    private final List<Process> processes = new ArrayList<>();
    private ContainerRegistry registry;
    private RuncShim shim;
    private MissedNotes notes;
    private Path bundle;
    private Path missed;

    @BeforeEach
    void makeShim() throws IOException {
        registry = new ContainerRegistry(directory.resolve("containers"));
        shim =
                new RuncShim(
                        registry,
                        directory.resolve("checkpoint"),
                        () -> {},
                        exitCodes,
                        listener,
                        Duration.ofMillis(700),
                        InstantSource.system());
        missed = directory.resolve("missed");
        notes = newNotes();
        bundle = Bundles.write(directory.resolve("bundle"), Bundles.ENABLED);
    }

    private MissedNotes newNotes() {
        return new MissedNotes(directory, shim);
    }

    @AfterEach
    void endProcesses() {
        processes.forEach(Process::destroyForcibly);
    }

    @Test
    void doesNothingWhereNothingWasMissed() {
        notes.replayAll();

        assertThat(missed).doesNotExist();
        assertThat(directory.resolve("containers")).doesNotExist();
    }

    /** Which would keep every note away, for ever. */
    @Test
    void removesAFileInThePlaceOfItsDirectory() throws IOException {
        Files.writeString(missed, "");

        notes.replayAll();

        assertThat(missed).doesNotExist();
    }

    @Test
    void registersTheLifeOfACreateThatWasMissed() throws IOException {
        Instant at = now();
        note(at, create());

        notes.replayAll();

        Life life = registry.open(TC).orElseThrow();
        assertThat(life.createdAt()).isEqualTo(at);
        assertThat(life.bundle()).isEqualTo(bundle);
        assertThat(life.root()).isEqualTo(ROOT);
        assertThat(listener.kept()).extracting(Life::id).containsExactly(life.id());
        assertThat(listener.begun()).containsExactly(life);
        assertThat(missed).isEmptyDirectory();
    }

    /** A launcher is about to add another call: the file stays, and what is in it is marked. */
    @Test
    void doesNothingTwiceAlsoInAnotherDaemon() throws Exception {
        note(now(), create());
        Path file = missed.resolve("default:tc");
        Path next = Files.write(directory.resolve("next"), record(now(), delete(false)));
        Path go = directory.resolve("go");
        try (ChildJvm launcher =
                ChildJvm.start(NoteWriter.class, file.toString(), next.toString(), go.toString())) {
            assertThat(launcher.line()).isEqualTo("locked");
            notes.replayAll();
            Life first = registry.open(TC).orElseThrow();
            registry.close(first);
            Life second = register(TC, bundle, Instant.EPOCH);

            notes.replayAll();
            newNotes().replayAll();

            assertThat(file).exists();
            assertThat(registry.open(TC)).hasValue(second);
            assertThat(listener.begun()).containsExactly(first);
            assertThat(listener.deleted()).isEmpty();

            Files.createFile(go);
            assertThat(launcher.line()).isEqualTo("written");
        }
        notes.replayAll();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(missed).isEmptyDirectory();
    }

    @Test
    void passesOverARecordThatALauncherCouldNotWriteToItsEnd() throws IOException {
        byte[] create = record(now(), create());
        write("default:tc", create);
        write("default:tc", Arrays.copyOf(create, 30));

        notes.replayAll();

        assertThat(registry.open(TC)).isPresent();
        assertThat(missed).isEmptyDirectory();
    }

    @Test
    void passesOverARecordThatCannotBeUsedAndLogsIt() throws IOException {
        byte[] start = record(now(), start());
        byte[] unknown =
                new String(start, StandardCharsets.ISO_8859_1)
                        .replace("start", "stare")
                        .getBytes(StandardCharsets.ISO_8859_1);
        write("default:tc", record(now(), create()));
        write("default:tc", unknown);
        write("default:tc", record(now(), delete(true)));
        try (CapturedLog log = new CapturedLog(MissedNotes.class)) {
            notes.replayAll();

            assertThat(log.at(Level.WARN))
                    .singleElement(STRING)
                    .contains("default/tc missed is passed over", "'stare'");
        }
        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).hasSize(1);
        assertThat(missed).isEmptyDirectory();
    }

    @Test
    void passesOverWhatIsNoCallOfItsContainer() throws IOException {
        ContainerKey other = new ContainerKey("default", "other");
        write("default:tc", record(now(), new RuncCall.Create(other, ROOT, bundle)));
        try (CapturedLog log = new CapturedLog(MissedNotes.class)) {
            notes.replayAll();

            assertThat(log.at(Level.WARN))
                    .singleElement(STRING)
                    .contains("not a call of this container");
        }
        assertThat(registry.openLives()).isEmpty();
        assertThat(listener.begun()).isEmpty();
    }

    @Test
    void takesALifeThatTheDaemonRegisteredAllTheSame() throws IOException {
        Life life = register(TC, bundle, Instant.now().minusSeconds(3));
        note(now(), create());

        notes.replayAll();

        assertThat(registry.open(TC)).hasValue(life);
        assertThat(listener.kept()).isEmpty();
    }

    @Test
    void endsTheLifeBeforeWhereAnotherContainerTookItsName() throws IOException {
        Life before = register(TC, directory.resolve("elsewhere"), Instant.EPOCH);
        Bundles.write(bundle, Bundles.NOT_ENABLED);
        note(now(), create());

        notes.replayAll();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).containsExactly(before);
        assertThat(listener.begun()).isEmpty();
    }

    /** The runtime refused it. */
    @Test
    void leavesTheLifeWhereTheContainerWasCreatedWhileItRan() throws IOException {
        Life life = register(TC, bundle, now().minusSeconds(60));
        Life running = life.withInit(InitProcess.of(init().pid()));
        registry.update(running);
        note(now().minusSeconds(1), create());

        notes.replayAll();

        assertThat(registry.open(TC)).hasValue(running);
        assertThat(listener.kept()).isEmpty();
        assertThat(listener.deleted()).isEmpty();
        assertThat(missed).isEmptyDirectory();
    }

    /** The runtime refused it. */
    @Test
    void leavesTheLifeWhereTheContainerWasDeletedWhileItRan() throws IOException {
        Life life = register(TC, bundle, now().minusSeconds(60));
        Life running = life.withInit(InitProcess.of(init().pid()));
        registry.update(running);
        exitCodes.answer(FakeExitCodes::running);
        note(now().minusSeconds(1), delete(false));

        notes.replayAll();
        assertThat(registry.open(TC)).hasValue(running);
        assertThat(missed).isEmptyDirectory();

        note(now(), delete(true));
        MissedNotes impatient = new MissedNotes(directory, shim, Duration.ZERO);
        impatient.replayAll();
        impatient.replayAll();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).containsExactly(running.withForceDeleted());
    }

    @Test
    void watchesAProcessThatLives() throws Exception {
        note(now(), create());
        Process init = init();
        note(now(), start());

        notes.replayAll();

        assertThat(registry.open(TC).orElseThrow().init()).hasValue(InitProcess.of(init.pid()));
        assertThat(listener.started()).containsExactly(registry.open(TC).orElseThrow());
    }

    /** The disk refused it when the start came. */
    @Test
    void writesAProcessThatIsKnownOnlyHere() throws IOException {
        Instant at = now();
        Life life = register(TC, bundle, at);
        Path file = directory.resolve("containers/default/tc/life.json");
        Path away = Files.move(file, file.resolveSibling("away"));
        Files.createDirectory(file);
        init();
        shim.before(start());
        Files.delete(file);
        Files.move(away, file);
        note(at.plusMillis(1), start());

        notes.replayAll();

        ContainerRegistry next = new ContainerRegistry(directory.resolve("containers"));
        next.load();
        assertThat(next.open(TC)).isEqualTo(registry.open(TC));
        assertThat(next.open(TC).orElseThrow().id()).isEqualTo(life.id());
        assertThat(next.open(TC).orElseThrow().init()).isPresent();
    }

    /** The bundle of a later life is in the place of this one's. */
    @Test
    void takesNoProcessThatWasStartedAfterItsOwn() throws Exception {
        Instant earlier = now().minusSeconds(30);
        note(earlier, create());
        note(earlier.plusSeconds(1), start());
        note(earlier.plusSeconds(2), delete(false));
        Process other = init();
        exitCodes.answer(FakeExitCodes::running);

        MissedNotes impatient = new MissedNotes(directory, shim, Duration.ZERO);
        impatient.replayAll();
        impatient.replayAll();

        Life life = listener.begun().getFirst();
        assertThat(life.init()).isEmpty();
        assertThat(listener.lost()).containsExactly(life);
        assertThat(listener.deleted()).containsExactly(life);
        assertThat(listener.started()).allMatch(it -> it.init().isEmpty());
        assertThat(other.isAlive()).isTrue();
    }

    @Test
    void doesNotWatchAPidThatIsAnotherProcessNow() throws Exception {
        note(now().minusSeconds(30), create());
        note(now().minusSeconds(29), start());
        Process other = init();

        notes.replayAll();

        InitProcess init = registry.open(TC).orElseThrow().init().orElseThrow();
        assertThat(init.pid()).isEqualTo(other.pid());
        assertThat(init.exists()).isFalse();
    }

    /** Whatever the store answers of the lives before. */
    @Test
    void aLifeThatWasMissedAsAWholeIsLost() throws IOException {
        Life before = register(TC, bundle, Instant.EPOCH);
        registry.close(before);
        Files.delete(bundle.resolve("config.json"));
        Instant at = now();
        note(at, create());
        note(at.plusMillis(1), start());
        note(at.plusMillis(2), delete(false));
        note(at.plusMillis(3), delete(true));
        exitCodes.answer(FakeExitCodes::running);

        MissedNotes impatient = new MissedNotes(directory, shim, Duration.ZERO);
        impatient.replayAll();
        impatient.replayAll();

        Life life = listener.begun().getFirst();
        assertThat(life.id()).isNotEqualTo(before.id());
        assertThat(life.createdAt()).isEqualTo(at);
        assertThat(listener.lost()).containsExactly(life);
        assertThat(listener.deleted()).containsExactly(life);
        assertThat(registry.open(TC)).isEmpty();
        assertThat(exitCodes.questions())
                .containsOnly(new FakeExitCodes.Question(life.id(), Duration.ZERO));
    }

    @Test
    void aCreateThatFailedLeavesNoLife() throws IOException {
        Files.delete(bundle.resolve("config.json"));
        note(now(), create());
        note(now(), delete(true));

        notes.replayAll();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.kept()).isEmpty();
        assertThat(listener.lost()).isEmpty();
    }

    @Test
    void cleansUpAfterADeleteThatWasMissedIfThisVeryLifeEndedWithZero() throws IOException {
        Life life = register(TC, bundle, Instant.now().minusSeconds(5));
        registry.update(life.withInit(InitProcess.of(FakeExitCodes.PID)));
        Files.createDirectories(directory.resolve("checkpoint/default/tc/kept"));
        exitCodes.answerExited(0);
        note(now(), delete(false));

        notes.replayAll();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(exitCodes.questions())
                .containsOnly(new FakeExitCodes.Question(life.id(), Duration.ZERO));
        assertThat(directory.resolve("containers/default/tc")).doesNotExist();
        assertThat(directory.resolve("checkpoint/default/tc")).doesNotExist();
    }

    /** Nobody could read its bundle, to find out whether it was enabled. */
    @Test
    void keepsEverythingOfALifeWhoseCreateWasMissed() throws IOException {
        note(now(), create());
        note(now(), start());
        note(now(), delete(false));
        Files.createDirectories(directory.resolve("checkpoint/default/tc/kept"));
        exitCodes.answerExited(0);

        notes.replayAll();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(directory.resolve("checkpoint/default/tc/kept")).exists();
    }

    /** As when a daemon without descriptors reads them all at once, long after the end. */
    @Test
    void aLifeThatWasMissedAsAWholeIsTheOneThatTheListenerKnows() throws IOException {
        Files.delete(bundle.resolve("config.json"));
        Instant at = now().minusSeconds(9);
        noteWholeLife(at);
        InitProcess init = InitProcess.of(FakeExitCodes.PID);
        listener.keep((container, path, time) ->
                Life.of("reported", container, time, path).withInit(init));
        exitCodes.answerExited(0);

        notes.replayAll();

        Life life = listener.begun().getFirst();
        assertThat(life)
                .isEqualTo(Life.of("reported", TC, at, bundle).withInit(init).withRoot(ROOT));
        assertThat(listener.started()).containsExactly(life);
        assertThat(exitCodes.questions())
                .containsOnly(new FakeExitCodes.Question("reported", Duration.ZERO));
        // Nobody could find out whether it was enabled: it is not cleaned up.
        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).containsExactly(life);
        assertThat(listener.lost()).isEmpty();
        assertThat(missed).isEmptyDirectory();
    }

    @Test
    void eachLifeThatWasMissedIsAskedForByItsTime() throws IOException {
        Files.delete(bundle.resolve("config.json"));
        Instant at = now().minusSeconds(9);
        for (int i = 0; i < 3; i++) {
            noteWholeLife(at.plusSeconds(i));
        }
        InitProcess init = InitProcess.of(FakeExitCodes.PID);
        listener.keep((container, path, time) -> {
            boolean isKnown = time.equals(at.plusSeconds(1));
            Life life = Life.of(isKnown ? "reported" : "other", container, time, path);
            return isKnown ? life.withInit(init) : life;
        });
        exitCodes.answerOf(life ->
                life.id().equals("reported")
                        ? FakeExitCodes.exited(TC, 3, Optional.empty())
                        : new Answer.Running(TC, Optional.empty()));

        MissedNotes impatient = new MissedNotes(directory, shim, Duration.ZERO);
        impatient.replayAll();
        impatient.replayAll();

        assertThat(listener.begun())
                .extracting(Life::createdAt)
                .containsExactly(at, at.plusSeconds(1), at.plusSeconds(2));
        assertThat(listener.lost())
                .extracting(Life::createdAt)
                .containsExactly(at, at.plusSeconds(2));
        assertThat(listener.deleted()).isEqualTo(listener.begun());
        assertThat(missed).isEmptyDirectory();
    }

    @Test
    void triesAgainWhereTheListenerDoesNotAnswer() throws IOException {
        note(now(), create());
        listener.keep((_, _, _) -> {
            throw new TardisException("the listener does not answer");
        });
        try (CapturedLog log = new CapturedLog(MissedNotes.class)) {
            notes.replayAll();
            assertThat(notes.serve(start())).isFalse();

            assertThat(log.at(Level.WARN)).hasSize(1);
        }
        assertThat(registry.open(TC)).isEmpty();

        listener.keep((container, path, at) -> Life.of("reported", container, at, path));
        assertThat(notes.serve(start())).isTrue();

        assertThat(registry.open(TC).orElseThrow().id()).isEqualTo("reported");
        assertThat(missed).isEmptyDirectory();
    }

    @Test
    void aDeleteWaitsForAnEndThatIsOnItsWay() throws IOException {
        Instant at = now().minusSeconds(1);
        noteWholeLife(at);
        exitCodes.answer(FakeExitCodes::running);

        notes.replayAll();
        notes.replayAll();
        assertThat(registry.open(TC)).isPresent();

        exitCodes.answerExited(3);
        notes.replayAll();
        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).hasSize(1);
        assertThat(listener.lost()).isEmpty();
        assertThat(missed).isEmptyDirectory();
    }

    /** The name's next life begins: what is not known of the one before is lost. */
    @Test
    void aDeleteDoesNotWaitWhereACallIsServed() throws IOException {
        Instant at = now().minusSeconds(1);
        noteWholeLife(at);
        exitCodes.answer(FakeExitCodes::running);
        notes.replayAll();

        notes.serve(create());

        assertThat(listener.lost()).containsExactly(listener.begun().getFirst());
        Life next = registry.open(TC).orElseThrow();
        assertThat(next.createdAt()).isAfterOrEqualTo(at);
        assertThat(listener.begun()).hasSize(2).endsWith(next);
    }

    @Test
    void aDeleteFromBeforeTheLifeIsNotItsOwn() throws IOException {
        Life life = register(TC, bundle, Instant.now());
        note(now().minusSeconds(60), delete(false));

        notes.replayAll();

        assertThat(registry.open(TC)).hasValue(life);
    }

    @Test
    void whatWasMissedComesBeforeACallThatIsServed() throws IOException {
        Instant at = now();
        note(at, create());

        notes.serve(delete(true));

        assertThat(listener.deleted()).extracting(Life::createdAt).containsExactly(at);
    }

    @Test
    void whatIsMissedDuringTheReplayComesBeforeACallThatIsServed() throws IOException {
        note(now(), create());
        listener.keep((container, path, at) -> {
            assertThatCode(() -> note(now(), delete(true))).doesNotThrowAnyException();
            return Life.of("reported", container, at, path);
        });

        assertThat(notes.serve(start())).isTrue();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(listener.deleted()).extracting(Life::id).containsExactly("reported");
        assertThat(missed).isEmptyDirectory();
    }

    @Test
    void aCallIsNotServedBeforeWhatWasMissed() throws IOException {
        Files.createFile(directory.resolve("containers"));
        note(now(), create());

        assertThat(notes.serve(start())).isFalse();

        Files.delete(directory.resolve("containers"));
        assertThat(notes.serve(start())).isTrue();
        assertThat(registry.open(TC)).isPresent();
    }

    @Test
    void triesAgainWhenTheRegistryCannotBeUsedForAWhile() throws IOException {
        Files.createFile(directory.resolve("containers"));
        note(now(), create());
        notes.replayAll();
        assertThat(missed.resolve("default:tc")).exists();

        Files.delete(directory.resolve("containers"));
        notes.replayAll();

        assertThat(registry.open(TC)).isPresent();
    }

    @Test
    void whatIsNoNoteIsLoggedAndRemoved() throws Exception {
        Files.createDirectory(missed);
        Path precious = Files.writeString(directory.resolve("precious"), "somebody else's");
        Files.createSymbolicLink(missed.resolve("default:link"), precious);
        Files.createFile(missed.resolve("no-container"));
        Files.createFile(missed.resolve("a:b:c"));
        Files.createDirectory(missed.resolve("default:directory"));
        write("default:huge", new byte[2 << 20]);
        assertThat(
                        new ProcessBuilder("mkfifo", missed.resolve("default:pipe").toString())
                                .start()
                                .waitFor())
                .isZero();

        try (CapturedLog log = new CapturedLog(MissedNotes.class)) {
            notes.replayAll();

            assertThat(missed).isEmptyDirectory();
            assertThat(log.at(Level.WARN)).hasSize(6).allMatch(it -> it.contains("is removed"));
        }
        assertThat(precious).hasContent("somebody else's");
        assertThat(directory.resolve("containers")).doesNotExist();
    }

    @Test
    void noBytesDoHarm() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        byte[] good = record(now(), create());
        for (int i = 0; i < 100; i++) {
            byte[] bytes = good.clone();
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            write("default:c" + i, bytes);
        }

        notes.replayAll();

        assertThat(missed).isEmptyDirectory();
        write("default:tc", good);
        notes.replayAll();
        assertThat(registry.open(TC)).as("seed %d", seed).isPresent();
    }

    /** A process that stands for a container's first, and its pid in the bundle. */
    private Process init() throws IOException {
        Process process = new ProcessBuilder("cat").start();
        processes.add(process);
        Files.writeString(bundle.resolve("init.pid"), Long.toString(process.pid()));
        return process;
    }

    private static Instant now() {
        return Instant.ofEpochMilli(System.currentTimeMillis());
    }

    /** Of 40 ms. */
    private void noteWholeLife(Instant at) throws IOException {
        note(at, create());
        note(at.plusMillis(10), start());
        note(at.plusMillis(40), delete(false));
    }

    private RuncCall create() {
        return new RuncCall.Create(TC, ROOT, bundle);
    }

    private static RuncCall start() {
        return new RuncCall.Start(TC, ROOT);
    }

    private static RuncCall delete(boolean force) {
        return new RuncCall.Delete(TC, ROOT, force);
    }

    private void note(Instant at, RuncCall call) throws IOException {
        write("default:tc", record(at, call));
    }

    private void write(String name, byte[] bytes) throws IOException {
        if (!Files.isDirectory(missed, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectory(missed);
        }
        Files.write(
                missed.resolve(name), bytes, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private static byte[] record(Instant at, RuncCall call) throws IOException {
        byte[] request = Requests.of(call);
        return ByteBuffer.allocate(Long.BYTES + request.length)
                .putLong(at.toEpochMilli())
                .put(request)
                .array();
    }

    private Life register(ContainerKey container, Path path, Instant at) throws IOException {
        Life life = Life.of(UUID.randomUUID().toString(), container, at, path);
        registry.register(life);
        return life;
    }
}
