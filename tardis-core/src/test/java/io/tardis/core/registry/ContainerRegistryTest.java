package io.tardis.core.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
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

    @TempDir private Path folder;
    private Path containers;
    private ContainerRegistry registry;

    @BeforeEach
    void open() {
        containers = folder.resolve("containers");
        registry = new ContainerRegistry(containers);
    }

    @Test
    void knowsNothingAtFirst() {
        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).isEmpty();
        assertThat(registry.lives(TC)).isEmpty();
        assertThat(registry.openLives()).isEmpty();
        assertThat(containers).doesNotExist();
    }

    @Test
    void keepsALifeAsAnotherProcessReadsIt() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);
        Life all = life.withInit(INIT).withForceDeleted().withLost();

        assertThat(new ContainerRegistry(containers).open(TC)).hasValue(life);
        registry.update(all);

        assertThat(new ContainerRegistry(containers).open(TC)).hasValue(all);
        assertThat(life.createdAt()).isEqualTo(NOW);
        assertThat(life.bundle()).isEqualTo(BUNDLE);
    }

    @Test
    void keepsAPidWhoseStartIsNotKnown() throws IOException {
        Life life =
                registry.register(TC, BUNDLE, NOW)
                        .withInit(new InitProcess(6615, OptionalLong.empty()));
        registry.update(life);

        assertThat(registry.open(TC)).hasValue(life);
    }

    @Test
    void keepsItsDirectoriesToItsUser() throws IOException {
        registry.register(TC, BUNDLE, NOW);

        assertThat(
                        PosixFilePermissions.toString(
                                Files.getPosixFilePermissions(containers.resolve("default/tc"))))
                .isEqualTo("rwx------");
    }

    @Test
    void givesEachLifeAnIdOfItsOwn() throws IOException {
        Life first = registry.register(TC, BUNDLE, NOW);
        Life second = registry.register(TC, BUNDLE, NOW);

        assertThat(first.id()).isNotEqualTo(second.id());
        assertThat(registry.lives(TC)).containsExactly(second, first);
    }

    @Test
    void endsALifeAndKeepsItAsTheLastOne() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);
        Files.writeString(containers.resolve("default/tc/kept"), "kept");

        registry.close(TC);
        registry.close(TC);

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).hasValue(life);
        assertThat(containers.resolve("default/tc/kept")).hasContent("kept");
    }

    /** It becomes part of a file's name when the life is written again. */
    @Test
    void passesOverALifeWhoseIdCouldLeaveItsDirectory() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);
        Path file = containers.resolve("default/tc/life.json");
        Files.writeString(file, Files.readString(file).replace(life.id(), "/../../x"));

        assertThat(registry.open(TC)).isEmpty();
        assertThatThrownBy(() -> LifeFile.read(file, TC))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("life.json has no life's id");
    }

    @Test
    void readsTheNewestStateThatIsWhole() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);
        Life started = life.withInit(new InitProcess(6615, OptionalLong.of(1)));
        Path file = containers.resolve("default/tc/life.json");
        registry.update(started);
        String whole = Files.readString(file);

        for (int end = whole.indexOf('\n') + 1; end < whole.length(); end++) {
            Files.writeString(file, whole.substring(0, end));
            assertThat(registry.open(TC)).as("torn at %d", end).hasValue(life);
        }
        Files.writeString(file, whole.substring(0, whole.indexOf('\n')) + "\n\n{");
        assertThat(registry.open(TC)).as("torn twice").hasValue(life);

        registry.update(started);

        assertThat(registry.open(TC)).hasValue(started);
    }

    /** Another process's shim may have written it meanwhile. */
    @Test
    void seesWhatOthersHaveWritten() throws IOException {
        ContainerRegistry other = new ContainerRegistry(containers);
        Life life = registry.register(TC, BUNDLE, NOW);
        assertThat(registry.open(TC)).hasValue(life);

        other.update(life.withInit(INIT));
        assertThat(registry.open(TC)).hasValue(life.withInit(INIT));

        other.close(TC);
        assertThat(registry.open(TC)).isEmpty();

        Life next = other.register(TC, BUNDLE, NOW);
        assertThat(registry.open(TC)).hasValue(next);
        assertThat(registry.last(TC)).hasValue(life.withInit(INIT));
    }

    @Test
    void updatesNoLifeThatIsNotOpen() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);
        registry.close(TC);

        assertThat(registry.update(life.withLost())).isFalse();

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).hasValue(life);
    }

    @Test
    @Timeout(10)
    void opensNothingThatIsNoFile() throws Exception {
        Life life = registry.register(TC, BUNDLE, NOW);
        Path file = containers.resolve("default/tc/life.json");
        Path elsewhere = Files.move(file, containers.resolve("elsewhere"));
        String content = Files.readString(elsewhere);

        Files.createSymbolicLink(file, elsewhere);
        assertThat(registry.open(TC)).isEmpty();
        assertThatThrownBy(() -> registry.update(life)).isInstanceOf(IOException.class);
        assertThat(elsewhere).hasContent(content);

        Files.delete(file);
        assertThat(new ProcessBuilder("mkfifo", file.toString()).start().waitFor()).isZero();
        assertThat(registry.open(TC)).isEmpty();

        Files.delete(file);
        Files.writeString(file, " ".repeat(70_000) + content);
        assertThat(registry.open(TC)).isEmpty();
    }

    @Test
    void removesEverything() throws IOException {
        registry.register(TC, BUNDLE, NOW);
        registry.close(TC);
        registry.register(TC, BUNDLE, NOW);

        registry.remove(TC);

        assertThat(registry.lives(TC)).isEmpty();
        assertThat(containers.resolve("default/tc")).doesNotExist();
    }

    @Test
    void changesALifeOnlyWhileItIsOpen() throws IOException {
        Life first = registry.register(TC, BUNDLE, NOW);
        assertThat(registry.updateIfOpen(first.withLost())).isTrue();
        Life second = registry.register(TC, BUNDLE, NOW);

        assertThat(registry.updateIfOpen(first.withInit(INIT))).isFalse();
        assertThat(registry.open(TC)).hasValue(second);
        registry.close(TC);
        assertThat(registry.updateIfOpen(second.withLost())).isFalse();
        assertThat(registry.open(TC)).isEmpty();
    }

    @Test
    void listsEveryOpenLifeAndPassesOverWhatIsNone() throws IOException {
        Life one = registry.register(TC, BUNDLE, NOW);
        Life two = registry.register(OTHER, BUNDLE, NOW);
        registry.register(new ContainerKey("default", "closed"), BUNDLE, NOW);
        registry.close(new ContainerKey("default", "closed"));
        Files.createDirectories(containers.resolve("default/.hidden"));
        Files.createDirectories(containers.resolve("default/empty"));
        Files.writeString(containers.resolve("default/file"), "");
        Files.writeString(containers.resolve("file"), "");
        Files.createSymbolicLink(
                containers.resolve("default/link"), containers.resolve("default/tc"));

        assertThat(registry.openLives()).containsExactlyInAnyOrder(one, two);
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
        registry.register(TC, BUNDLE, NOW);
        Files.writeString(containers.resolve("default/tc/life.json"), content);

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.openLives()).isEmpty();
        Life next = registry.register(TC, BUNDLE, NOW);
        assertThat(registry.open(TC)).hasValue(next);
    }

    @Test
    void givesEachOpenLifeItsTurnAlsoIfOneFails() throws IOException {
        Life one = registry.register(TC, BUNDLE, NOW);
        Life two = registry.register(new ContainerKey("other", "tc"), BUNDLE, NOW);
        List<Life> given = new ArrayList<>();

        assertThatThrownBy(() ->
                        registry.forEachOpen(life -> {
                            given.add(life);
                            throw new UncheckedIOException(new IOException("no descriptor"));
                        }))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("no descriptor");
        assertThat(given).containsExactlyInAnyOrder(one, two);
    }

    @Test
    void passesOverALifeThatIsTorn() throws IOException {
        registry.register(TC, BUNDLE, NOW);
        byte[] whole = Files.readAllBytes(containers.resolve("default/tc/life.json"));

        for (int length = 0; length < whole.length; length++) {
            Files.write(containers.resolve("default/tc/life.json"), Arrays.copyOf(whole, length));

            assertThat(registry.open(TC)).as("%d bytes", length).isEmpty();
        }
    }

    @Test
    void takesASpoiledLifeForNoneOrForOneOfTheSameContainer() throws IOException {
        registry.update(registry.register(TC, BUNDLE, NOW).withInit(INIT).withLost());
        byte[] whole = Files.readAllBytes(containers.resolve("default/tc/life.json"));
        long seed = System.nanoTime();
        Random random = new Random(seed);

        for (int i = 0; i < 2_000; i++) {
            byte[] spoiled = whole.clone();
            spoiled[random.nextInt(spoiled.length)] = (byte) random.nextInt(256);
            Files.write(containers.resolve("default/tc/life.json"), spoiled);

            assertThat(new ContainerRegistry(containers).openLives())
                    .as("seed %d: %s", seed, new String(spoiled, StandardCharsets.ISO_8859_1))
                    .allMatch(life -> life.container().equals(TC));
        }
    }

    @Test
    void writesALifeAsOtherVersionsReadIt() throws IOException {
        Path file = containers.resolve("default/tc/life.json");
        Life life = registry.register(TC, BUNDLE, NOW).withInit(INIT);
        registry.update(life);

        String begin =
                "{\"v\":1,\"life\":\"%s\",\"namespace\":\"default\",\"container_id\":\"tc\",\"created_at\":\"2026-11-23T06:51:23.418Z\",\"bundle\":\"/run/bundle\""
                        .formatted(life.id());
        assertThat(file).hasContent(begin + "}\n" + begin + ",\"pid\":6615,\"start_time\":123456}");
        Files.writeString(file, Files.readString(file).replace("{", "{\"new\":[{}],"));
        assertThat(registry.open(TC)).hasValue(life);
    }

    @Test
    void leavesNothingBesideALifeThatItWrites() throws IOException {
        registry.update(registry.register(TC, BUNDLE, NOW).withInit(INIT));

        assertThat(containers.resolve("default/tc")).isDirectoryNotContaining("regex:.*/\\..*");
    }

    @Test
    void passesOverADirectoryInPlaceOfALife() throws IOException {
        Files.createDirectories(containers.resolve("default/tc/life.json"));

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.openLives()).isEmpty();
    }

    @Test
    void changesNothingBehindALinkWhenItRemoves() throws IOException {
        Path outside = Files.createDirectories(folder.resolve("outside/tc"));
        Files.writeString(outside.resolve("life.json"), "precious");
        Files.createDirectories(containers.resolve("default"));
        Files.createSymbolicLink(containers.resolve("default/tc"), outside);
        Files.createSymbolicLink(containers.resolve("moby"), outside.getParent());

        registry.remove(TC);
        assertThatThrownBy(() -> registry.remove(new ContainerKey("moby", "tc")))
                .isInstanceOf(IOException.class);

        assertThat(outside.resolve("life.json")).hasContent("precious");
        assertThat(containers.resolve("default")).isEmptyDirectory();
    }

    @Test
    void leavesNoLifeOpenThatItCouldNotRemoveAsAWhole() throws IOException {
        registry.register(TC, BUNDLE, NOW);
        Files.createDirectories(containers.resolve("default/tc/kept"));
        Files.createFile(containers.resolve(".removed"));

        assertThatThrownBy(() -> registry.remove(TC)).isInstanceOf(IOException.class);

        assertThat(registry.open(TC)).isEmpty();
        assertThat(containers.resolve("default/tc/kept")).exists();
    }

    @Test
    void removesNothingForALifeThatIsNotTheOpenOne() throws IOException {
        Path checkpoints = folder.resolve("checkpoints");
        Life first = registry.register(TC, BUNDLE, NOW);
        Life second = registry.register(TC, BUNDLE, NOW);
        Files.createDirectories(checkpoints.resolve("default/tc/of-the-second"));

        assertThat(registry.remove(first, checkpoints)).isFalse();
        assertThat(registry.open(TC)).hasValue(second);
        assertThat(checkpoints.resolve("default/tc/of-the-second")).exists();

        assertThat(registry.remove(second, checkpoints)).isTrue();
        assertThat(registry.lives(TC)).isEmpty();
        assertThat(checkpoints.resolve("default/tc")).doesNotExist();
    }

    @Test
    void takesNoDirectoryForWhatIsRemovedForALife() throws IOException {
        registry.register(TC, BUNDLE, NOW);
        Files.createDirectories(containers.resolve("default/tc/d"));
        registry.remove(TC);
        assertThat(containers.resolve(".removed")).isNotEmptyDirectory();

        assertThat(registry.openLives()).isEmpty();
    }

    @Test
    void tellsALifesEndByItsPidWhereBothKnowIt() throws IOException {
        Life created = registry.register(TC, BUNDLE, NOW);
        Life started = created.withInit(INIT);

        assertThat(started.endsWith(exit(TC, "tc", 6615, NOW))).isTrue();
        assertThat(started.endsWith(exit(TC, "tc", 6616, NOW))).isFalse();
        assertThat(started.endsWith(exit(TC, "tc", 0, NOW))).isTrue();
        assertThat(started.endsWith(exit(TC, "tc", 0, NOW.minusMillis(1)))).isFalse();
        assertThat(started.endsWith(exit(TC, "exec", 6615, NOW))).isFalse();
        assertThat(started.endsWith(exit(OTHER, "other", 6615, NOW))).isFalse();
        assertThat(created.endsWith(exit(TC, "tc", 6615, NOW))).isTrue();
        assertThat(created.endsWith(exit(TC, "tc", 6615, NOW.minusMillis(1)))).isFalse();
    }

    @Test
    void tellsAProcessFromAnotherOneWithItsPid() {
        InitProcess own = InitProcess.of(ProcessHandle.current().pid());

        assertThat(own.startTime()).isPresent();
        assertThat(own.exists()).isTrue();
        assertThat(new InitProcess(own.pid(), OptionalLong.of(1)).exists()).isFalse();
        assertThat(new InitProcess(own.pid(), OptionalLong.empty()).exists()).isFalse();
        // Above the kernel's greatest pid, 4194304.
        assertThat(InitProcess.of(5_000_000).exists()).isFalse();
    }

    private static TaskExit exit(ContainerKey container, String id, long pid, Instant at) {
        return new TaskExit(container, id, pid, 0, at);
    }

    @Test
    void writesLivesAgainWhoseProcessIsThereWhereTheirDirectoryWasRemoved() throws IOException {
        InitProcess self = InitProcess.of(ProcessHandle.current().pid());
        ContainerKey ended = new ContainerKey("default", "ended");
        ContainerKey deleted = new ContainerKey("default", "deleted");
        registry.keepInPlace();
        Life living = registry.register(TC, BUNDLE, NOW).withInit(self);
        registry.update(living);
        registry.update(registry.register(ended, BUNDLE, NOW).withInit(INIT));
        registry.update(registry.register(deleted, BUNDLE, NOW).withInit(self));
        assertThat(registry.openLives()).hasSize(3);
        registry.close(deleted);
        assertThat(registry.open(deleted)).isEmpty();
        registry.keepInPlace();
        assertThat(registry.open(deleted)).isEmpty();

        Files.move(containers, folder.resolve("moved"));
        assertThat(registry.open(TC)).as("nothing knows it just now").isEmpty();
        registry.keepInPlace();
        registry.keepInPlace();

        assertThat(new ContainerRegistry(containers).openLives()).containsExactly(living);
        assertThat(registry.open(TC)).hasValue(living);
    }

    @Test
    void writesALifeAgainThatWasRemovedAndNoneThatWasEnded() throws IOException {
        InitProcess self = InitProcess.of(ProcessHandle.current().pid());
        ContainerKey elsewhere = new ContainerKey("default", "elsewhere");
        registry.keepInPlace();
        Life living = registry.register(TC, BUNDLE, NOW).withInit(self);
        registry.update(living);
        registry.update(registry.register(elsewhere, BUNDLE, NOW).withInit(self));
        new ContainerRegistry(containers).close(elsewhere);
        ContainerTree.remove(containers, TC);
        assertThat(registry.open(TC)).isEmpty();

        for (int i = 0; i < 20; i++) {
            registry.keepInPlace();
        }

        assertThat(new ContainerRegistry(containers).openLives()).containsExactly(living);
    }
}
