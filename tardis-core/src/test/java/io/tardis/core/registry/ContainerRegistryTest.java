package io.tardis.core.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.OptionalLong;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ContainerRegistryTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final ContainerKey OTHER = new ContainerKey("k8s.io", "other");
    private static final Instant NOW = Instant.parse("2026-11-23T06:51:23.418Z");
    private static final Path BUNDLE = Path.of("/run/bundle");
    private static final InitProcess INIT = new InitProcess(6615, OptionalLong.of(123456));

    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @TempDir private Path folder;
    private Path containers;
    private ContainerRegistry registry;

    @BeforeEach
    void open() {
        containers = folder.resolve("containers");
        registry = new ContainerRegistry(containers);
    }

    /** What the next daemon reads. */
    private ContainerRegistry next() {
        ContainerRegistry next = new ContainerRegistry(containers);
        assertThat(next.load()).as("former lives").isEmpty();
        return next;
    }

    private Life register(ContainerKey container) throws IOException {
        return register(registry, container);
    }

    private static Life register(ContainerRegistry registry, ContainerKey container)
            throws IOException {
        Life life = Life.of(UUID.randomUUID().toString(), container, NOW, BUNDLE);
        registry.register(life);
        return life;
    }

    @Test
    void knowsNothingAtFirst() {
        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.openLives()).isEmpty();
        assertThat(next().openLives()).isEmpty();
        assertThat(containers).doesNotExist();
    }

    @Test
    void keepsALifeAsTheNextDaemonReadsIt() throws IOException {
        Life life = register(TC);
        Life all = life.withInit(INIT).withForceDeleted();

        assertThat(registry.open(TC)).hasValue(life);
        assertThat(next().open(TC)).hasValue(life);
        assertThat(registry.update(all)).isTrue();

        assertThat(registry.open(TC)).hasValue(all);
        assertThat(next().open(TC)).hasValue(all);
        assertThat(life.createdAt()).isEqualTo(NOW);
        assertThat(life.bundle()).isEqualTo(BUNDLE);
    }

    @Test
    void keepsAPidWhoseStartIsNotKnown() throws IOException {
        Life life = register(TC).withInit(new InitProcess(6615, OptionalLong.empty()));
        registry.update(life);

        assertThat(next().open(TC)).hasValue(life);
    }

    @Test
    void keepsItsDirectoriesToItsUser() throws IOException {
        register(TC);

        assertThat(
                        PosixFilePermissions.toString(
                                Files.getPosixFilePermissions(containers.resolve("default/tc"))))
                .isEqualTo("rwx------");
    }

    @Test
    void beginsALifeInThePlaceOfOneWhoseDeleteWasMissed() throws IOException {
        Life first = register(TC);
        Life second = register(TC);

        assertThat(registry.update(first.withInit(INIT))).isFalse();
        registry.close(first);

        assertThat(registry.open(TC)).hasValue(second);
        assertThat(next().open(TC)).hasValue(second);
    }

    @Test
    void beginsALifeThatHasAnId() throws IOException {
        Life life = Life.of("5f0c", TC, NOW, BUNDLE).withInit(INIT);

        registry.register(life);

        assertThat(registry.open(TC)).hasValue(life);
        assertThat(next().open(TC)).hasValue(life);
    }

    @Test
    void endsALifeAndLeavesWhatOthersKeep() throws IOException {
        Life life = register(TC);
        Files.writeString(containers.resolve("default/tc/kept"), "kept");

        registry.close(life);
        registry.close(life);

        assertThat(registry.open(TC)).isEmpty();
        assertThat(next().open(TC)).isEmpty();
        assertThat(containers.resolve("default/tc")).isDirectoryContaining("regex:.*/kept");
        assertThat(containers.resolve("default/tc/kept")).hasContent("kept");
    }

    @Test
    void leavesNoDirectoryWhereNothingIsKept() throws IOException {
        registry.close(register(TC));

        assertThat(containers).isEmptyDirectory();
    }

    /** For a while: people look for it. */
    @Test
    void removesTheDirectoryOfALifeThatRanWhenItIsOld() throws IOException {
        Life life = register(TC).withInit(INIT);
        registry.update(life);
        registry.close(life);
        assertThat(containers.resolve("default/tc")).isEmptyDirectory();
        register(OTHER);
        Path kept = Files.createDirectories(containers.resolve("default/kept"));
        Files.writeString(kept.resolve("file"), "kept");

        registry.removeEmpty(Instant.now().minusSeconds(60));
        assertThat(containers.resolve("default/tc")).exists();
        registry.removeEmpty(Instant.now().plusSeconds(60));

        assertThat(containers.resolve("default/tc")).doesNotExist();
        assertThat(kept.resolve("file")).exists();
        assertThat(containers.resolve("k8s.io/other/life.json")).exists();
    }

    @Test
    void registersNoLifeThatCannotBeWritten() throws IOException {
        Life first = register(TC);
        Files.createDirectories(containers.resolve("k8s.io/other/life.json/d"));
        Files.delete(containers.resolve("default/tc/life.json"));
        Files.createDirectories(containers.resolve("default/tc/life.json/d"));

        assertThatThrownBy(() -> register(OTHER)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> register(TC)).isInstanceOf(IOException.class);

        assertThat(registry.openLives()).containsExactly(first);
        assertThat(containers.resolve("k8s.io/other")).isDirectoryNotContaining("regex:.*/\\..*");
    }

    @Test
    void givesAwayTheLivesThatEarlierVersionsKept() throws IOException {
        Life open = register(TC);
        Life before = Life.of("before", TC, NOW.minusSeconds(1), BUNDLE).withInit(INIT);
        Life alone = Life.of("alone", OTHER, NOW, BUNDLE);
        LifeFile.write(containers.resolve("default/tc/last-life.json"), before);
        Path directory = Files.createDirectories(containers.resolve("k8s.io/other"));
        LifeFile.write(directory.resolve("last-life.json"), alone);
        Path damaged = Files.createDirectories(containers.resolve("k8s.io/damaged"));
        Files.writeString(damaged.resolve("last-life.json"), "{");

        ContainerRegistry next = new ContainerRegistry(containers);

        assertThat(next.load()).containsExactlyInAnyOrder(before, alone);
        assertThat(next.openLives()).containsExactly(open);
        assertThat(directory).isEmptyDirectory();
        assertThat(next().openLives()).containsExactly(open);
    }

    /** It becomes part of a file's name when the life is written again. */
    @Test
    void passesOverALifeWhoseIdCouldLeaveItsDirectory() throws IOException {
        Life life = register(TC);
        Path file = containers.resolve("default/tc/life.json");
        Files.writeString(file, Files.readString(file).replace(life.id(), "/../../x"));

        assertThat(next().open(TC)).isEmpty();
        assertThatThrownBy(() -> LifeFile.read(file, TC))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("life.json has no life's id");
    }

    @Test
    void readsTheNewestStateThatIsWhole() throws IOException {
        Life life = register(TC);
        Life started = life.withInit(new InitProcess(6615, OptionalLong.of(1)));
        Path file = containers.resolve("default/tc/life.json");
        registry.update(started);
        String whole = Files.readString(file);

        for (int end = whole.indexOf('\n') + 1; end < whole.length(); end++) {
            Files.writeString(file, whole.substring(0, end));
            assertThat(next().open(TC)).as("torn at %d", end).hasValue(life);
        }
        Files.writeString(file, whole.substring(0, whole.indexOf('\n')) + "\n\n{");
        assertThat(next().open(TC)).as("torn twice").hasValue(life);

        registry.update(started);

        assertThat(next().open(TC)).hasValue(started);
    }

    @Test
    void updatesNoLifeThatIsNotOpen() throws IOException {
        Life life = register(TC);
        registry.close(life);

        assertThat(registry.update(life.withInit(INIT))).isFalse();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(next().open(TC)).isEmpty();
    }

    @Test
    @Timeout(10)
    void opensNothingThatIsNoFile() throws Exception {
        Life life = register(TC);
        Path file = containers.resolve("default/tc/life.json");
        Path elsewhere = Files.move(file, containers.resolve("elsewhere"));
        String content = Files.readString(elsewhere);

        Files.createSymbolicLink(file, elsewhere);
        assertThat(next().open(TC)).isEmpty();
        assertThatThrownBy(() -> registry.update(life.withInit(INIT)))
                .isInstanceOf(IOException.class);
        assertThat(elsewhere).hasContent(content);
        assertThat(registry.open(TC)).as("in memory").hasValue(life.withInit(INIT));

        Files.delete(file);
        assertThat(new ProcessBuilder("mkfifo", file.toString()).start().waitFor()).isZero();
        assertThat(next().open(TC)).isEmpty();

        Files.delete(file);
        Files.writeString(file, " ".repeat(70_000) + content);
        assertThat(next().open(TC)).isEmpty();
    }

    @Test
    void removesEverything() throws IOException {
        registry.close(register(TC));
        Life life = register(TC);
        Files.writeString(containers.resolve("default/tc/kept"), "kept");

        assertThat(registry.remove(life, folder.resolve("checkpoints"))).isTrue();

        assertThat(registry.openLives()).isEmpty();
        assertThat(next().openLives()).isEmpty();
        assertThat(containers.resolve("default/tc")).doesNotExist();
    }

    @Test
    void listsEveryOpenLifeAndPassesOverWhatIsNone() throws IOException {
        Life one = register(TC);
        Life two = register(OTHER);
        registry.close(register(new ContainerKey("default", "closed")));
        Files.createDirectories(containers.resolve("default/.hidden"));
        Files.createDirectories(containers.resolve("default/empty"));
        Files.writeString(containers.resolve("default/file"), "");
        Files.writeString(containers.resolve("file"), "");
        Files.createSymbolicLink(
                containers.resolve("default/link"), containers.resolve("default/tc"));

        assertThat(registry.openLives()).containsExactlyInAnyOrder(one, two);
        assertThat(next().openLives()).containsExactlyInAnyOrder(one, two);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "{\"v\":2}",
                "{\"v\":1}",
                "{\"v\":1,\"life\":\"x\",\"namespace\":\"default\",\"container_id\":\"other\",\"created_at\":\"2026-11-23T06:51:23Z\",\"bundle\":\"/b\"}",
                "{\"v\":1,\"life\":\"x\",\"namespace\":\"default\",\"container_id\":\"tc\",\"created_at\":\"yesterday\",\"bundle\":\"/b\"}",
                "{\"v\":1,\"life\":\"x\",\"namespace\":\"../..\",\"container_id\":\"tc\",\"created_at\":\"2026-11-23T06:51:23Z\",\"bundle\":\"/b\"}"
            })
    void passesOverAFileThatIsNotALifeOfTheContainer(String content) throws IOException {
        register(TC);
        Files.writeString(containers.resolve("default/tc/life.json"), content);

        ContainerRegistry next = next();
        assertThat(next.open(TC)).isEmpty();
        assertThat(next.openLives()).isEmpty();
        Life life = register(next, TC);
        assertThat(next().open(TC)).hasValue(life);
    }

    @Test
    void passesOverALifeThatIsTorn() throws IOException {
        register(TC);
        byte[] whole = Files.readAllBytes(containers.resolve("default/tc/life.json"));

        for (int length = 0; length < whole.length; length++) {
            Files.write(containers.resolve("default/tc/life.json"), Arrays.copyOf(whole, length));

            assertThat(next().open(TC)).as("%d bytes", length).isEmpty();
        }
    }

    @Test
    void takesASpoiledLifeForNoneOrForOneOfTheSameContainer() throws IOException {
        registry.update(register(TC).withInit(INIT).withForceDeleted());
        byte[] whole = Files.readAllBytes(containers.resolve("default/tc/life.json"));
        long seed = System.nanoTime();
        Random random = new Random(seed);

        for (int i = 0; i < 2_000; i++) {
            byte[] spoiled = whole.clone();
            spoiled[random.nextInt(spoiled.length)] = (byte) random.nextInt(256);
            Files.write(containers.resolve("default/tc/life.json"), spoiled);

            assertThat(next().openLives())
                    .as("seed %d: %s", seed, new String(spoiled, StandardCharsets.ISO_8859_1))
                    .allMatch(life -> life.container().equals(TC));
        }
    }

    @Test
    void writesALifeAsOtherVersionsReadIt() throws IOException {
        Path file = containers.resolve("default/tc/life.json");
        Life life = register(TC).withInit(INIT);
        registry.update(life);

        String begin =
                "{\"v\":1,\"life\":\"%s\",\"namespace\":\"default\",\"container_id\":\"tc\",\"created_at\":\"2026-11-23T06:51:23.418Z\",\"bundle\":\"/run/bundle\""
                        .formatted(life.id());
        assertThat(file).hasContent(begin + "}\n" + begin + ",\"pid\":6615,\"start_time\":123456}");
        Files.writeString(file, Files.readString(file).replace("{", "{\"new\":[{}],"));
        assertThat(next().open(TC)).hasValue(life);
    }

    @Test
    void leavesNothingBesideALifeThatItWrites() throws IOException {
        registry.update(register(TC).withInit(INIT));

        assertThat(containers.resolve("default/tc")).isDirectoryNotContaining("regex:.*/\\..*");
    }

    @Test
    void passesOverADirectoryInPlaceOfALife() throws IOException {
        Files.createDirectories(containers.resolve("default/tc/life.json"));

        assertThat(next().open(TC)).isEmpty();
        assertThat(next().openLives()).isEmpty();
    }

    @Test
    void changesNothingBehindALinkWhenItRemoves() throws IOException {
        Path checkpoints = folder.resolve("checkpoints");
        Life one = register(TC);
        Life two = register(new ContainerKey("moby", "tc"));
        Path outside = Files.createDirectories(folder.resolve("outside/tc"));
        Files.writeString(outside.resolve("life.json"), "precious");
        Files.move(containers.resolve("default/tc"), folder.resolve("one"));
        Files.createSymbolicLink(containers.resolve("default/tc"), outside);
        Files.move(containers.resolve("moby"), folder.resolve("two"));
        Files.createSymbolicLink(containers.resolve("moby"), outside.getParent());

        assertThat(registry.remove(one, checkpoints)).isTrue();
        assertThatThrownBy(() -> registry.remove(two, checkpoints)).isInstanceOf(IOException.class);

        assertThat(outside.resolve("life.json")).hasContent("precious");
        assertThat(containers.resolve("default")).isEmptyDirectory();
    }

    @Test
    void leavesNoLifeOpenThatItCouldNotRemoveAsAWhole() throws IOException {
        Life life = register(TC);
        Files.createDirectories(containers.resolve("default/tc/kept"));
        Files.createFile(containers.resolve(".removed"));

        assertThatThrownBy(() -> registry.remove(life, folder.resolve("checkpoints")))
                .isInstanceOf(IOException.class);

        assertThat(registry.open(TC)).isEmpty();
        assertThat(next().open(TC)).isEmpty();
        assertThat(containers.resolve("default/tc/kept")).exists();
    }

    @Test
    void removesNothingForALifeThatIsNotTheOpenOne() throws IOException {
        Path checkpoints = folder.resolve("checkpoints");
        Life first = register(TC);
        Life second = register(TC);
        Files.createDirectories(checkpoints.resolve("default/tc/of-the-second"));

        assertThat(registry.remove(first, checkpoints)).isFalse();
        assertThat(registry.open(TC)).hasValue(second);
        assertThat(checkpoints.resolve("default/tc/of-the-second")).exists();

        assertThat(registry.remove(second, checkpoints)).isTrue();
        assertThat(registry.openLives()).isEmpty();
        assertThat(checkpoints.resolve("default/tc")).doesNotExist();
    }

    @Test
    void takesNoDirectoryForWhatIsRemovedForALife() throws IOException {
        Life life = register(TC);
        Files.createDirectories(containers.resolve("default/tc/d"));
        registry.remove(life, folder.resolve("checkpoints"));
        assertThat(containers.resolve(".removed")).isNotEmptyDirectory();

        assertThat(next().openLives()).isEmpty();
    }

    @Test
    void distinguishesAProcessFromAnotherOneWithItsPid() {
        InitProcess own = InitProcess.of(ProcessHandle.current().pid());

        assertThat(own.startTime()).isPresent();
        assertThat(own.exists()).isTrue();
        assertThat(new InitProcess(own.pid(), OptionalLong.of(1)).exists()).isFalse();
        assertThat(new InitProcess(own.pid(), OptionalLong.empty()).exists()).isFalse();
        // Above the kernel's greatest pid, 4194304.
        assertThat(InitProcess.of(5_000_000).exists()).isFalse();
    }

    @Test
    void takesAZombieForOneThatIsThereAndDoesNotRun() throws IOException {
        // The shell becomes a program that never waits for the shell's child, which ends later.
        Process parent =
                new ProcessBuilder("sh", "-c", "sleep 0.2 & echo $!; exec sleep 60").start();
        try {
            InitProcess zombie =
                    InitProcess.of(Long.parseLong(parent.inputReader().readLine().strip()));

            await().atMost(PATIENCE).until(() -> !zombie.isRunning());
            assertThat(zombie.exists()).isTrue();
            InitProcess running = InitProcess.of(parent.pid());
            assertThat(running.isRunning()).isTrue();
            assertThat(new InitProcess(running.pid(), OptionalLong.of(1)).isRunning()).isFalse();
            assertThat(new InitProcess(running.pid(), OptionalLong.empty()).isRunning()).isFalse();
        } finally {
            parent.destroyForcibly();
        }
    }

    @Test
    void writesLivesAgainWhoseProcessIsThereWhereTheirDirectoryWasRemoved() throws IOException {
        InitProcess self = InitProcess.of(ProcessHandle.current().pid());
        ContainerKey ended = new ContainerKey("default", "ended");
        ContainerKey deleted = new ContainerKey("default", "deleted");
        registry.keepInPlace();
        Life living = register(TC).withInit(self);
        registry.update(living);
        registry.update(register(ended).withInit(INIT));
        registry.update(register(deleted).withInit(self));
        assertThat(registry.openLives()).hasSize(3);
        registry.close(registry.open(deleted).orElseThrow());
        assertThat(registry.open(deleted)).isEmpty();
        registry.keepInPlace();
        assertThat(registry.open(deleted)).isEmpty();

        Files.move(containers, folder.resolve("moved"));
        assertThat(next().openLives()).as("nothing is there just now").isEmpty();
        registry.keepInPlace();
        registry.keepInPlace();

        assertThat(next().openLives()).containsExactly(living);
        assertThat(registry.open(TC)).hasValue(living);
    }

    @Test
    void writesALifeAgainThatWasRemovedAndNoneThatWasEnded() throws IOException {
        InitProcess self = InitProcess.of(ProcessHandle.current().pid());
        ContainerKey ended = new ContainerKey("default", "ended");
        registry.keepInPlace();
        Life living = register(TC).withInit(self);
        registry.update(living);
        Life closed = register(ended).withInit(self);
        registry.update(closed);
        registry.close(closed);
        ContainerTree.remove(containers, TC, true);
        assertThat(next().openLives()).as("nothing is there just now").isEmpty();

        for (int i = 0; i < 20; i++) {
            registry.keepInPlace();
        }

        assertThat(next().openLives()).containsExactly(living);
    }
}
