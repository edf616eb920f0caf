package io.tardis.core.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Arrays;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ContainerRegistryTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final Path BUNDLE = Path.of("/run/containerd/default/tc");
    private static final Instant NOW = Instant.parse("2026-11-23T06:51:23.418Z");

    @TempDir private Path stateDir;
    private Path containersDir;
    private ContainerRegistry registry;

    @BeforeEach
    void makeRegistry() {
        containersDir = stateDir.resolve("containers");
        registry = new ContainerRegistry(containersDir);
    }

    @Test
    void knowsNothingBeforeItsDirectoryExists() throws IOException {
        registry.close(TC);
        registry.remove(TC);

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).isEmpty();
        assertThat(registry.openLives()).isEmpty();
        assertThat(containersDir).doesNotExist();
    }

    @Test
    void opensLifeWhereTheLauncherLooksForIt() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);

        assertThat(life.container()).isEqualTo(TC);
        assertThat(life.createdAt()).isEqualTo(NOW);
        assertThat(life.bundle()).isEqualTo(BUNDLE);
        assertThat(life.pid()).isEmpty();
        assertThat(life.forceDeleted()).isFalse();
        assertThat(Files.readString(life()))
                .isEqualTo(
                        "{\"v\":1,\"life\":\"%s\",\"namespace\":\"default\",\"container_id\":\"tc\",\"created_at\":\"2026-11-23T06:51:23.418Z\",\"bundle\":\"/run/containerd/default/tc\"}"
                                .formatted(life.id()));
    }

    @Test
    void keepsWhatIsKnownOfContainersFromOtherUsers() throws IOException {
        registry.register(TC, BUNDLE, NOW);

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory())))
                .isEqualTo("rwx------");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(containersDir)))
                .isEqualTo("rwx------");
    }

    @Test
    void readsEveryFieldBackAfterItIsOpenedAgain() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW).withPid(6615).withForceDeleted();
        registry.update(life);

        ContainerRegistry again = new ContainerRegistry(containersDir);

        assertThat(again.open(TC)).contains(life);
        assertThat(life.pid()).isEqualTo(OptionalLong.of(6615));
        assertThat(life.forceDeleted()).isTrue();
    }

    @Test
    void leavesNothingBesideTheLifeItWrites() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);
        registry.update(life.withPid(6615));

        assertThat(directory()).isDirectoryNotContaining(it -> !it.equals(life()));
    }

    @Test
    void turnsTheOpenLifeIntoTheLastOneWhenItIsClosed() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);

        registry.close(TC);

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.last(TC)).contains(life);
        assertThat(registry.lives(TC)).containsExactly(life);
        assertThat(registry.openLives()).isEmpty();
    }

    @Test
    void closesTwiceWithoutLosingTheLastLife() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);

        registry.close(TC);
        registry.close(TC);

        assertThat(registry.last(TC)).contains(life);
    }

    @Test
    void closesTheLifeWhoseDeleteWasMissedWhenTheNextBegins() throws IOException {
        Life first = registry.register(TC, BUNDLE, NOW);
        Life second = registry.register(TC, BUNDLE, NOW.plusSeconds(1));

        assertThat(first.id()).isNotEqualTo(second.id());
        assertThat(registry.lives(TC)).containsExactly(second, first);

        Life third = registry.register(TC, BUNDLE, NOW.plusSeconds(2));

        assertThat(registry.lives(TC)).containsExactly(third, second);
    }

    @Test
    void listsTheOpenLivesOfEveryNamespace() throws IOException {
        Life one = registry.register(TC, BUNDLE, NOW);
        Life two = registry.register(new ContainerKey("default", "tc2"), BUNDLE, NOW);
        Life three = registry.register(new ContainerKey("k8s.io", "tc"), BUNDLE, NOW);
        ContainerKey closed = new ContainerKey("k8s.io", "closed");
        registry.register(closed, BUNDLE, NOW);
        registry.close(closed);

        assertThat(registry.openLives()).containsExactlyInAnyOrder(one, two, three);
    }

    @Test
    void removesTheContainerWithEverythingKeptForIt() throws IOException {
        registry.register(TC, BUNDLE, NOW);
        registry.register(TC, BUNDLE, NOW);
        Files.writeString(directory().resolve("exit.json"), "kept by somebody else");
        Files.createDirectories(directory().resolve("deep/deeper"));
        ContainerKey neighbour = new ContainerKey("default", "tc2");
        Life kept = registry.register(neighbour, BUNDLE, NOW);

        registry.remove(TC);

        assertThat(directory()).doesNotExist();
        assertThat(registry.lives(TC)).isEmpty();
        assertThat(registry.open(neighbour)).contains(kept);
    }

    @Test
    void countsTornLifeAsNone() throws IOException {
        registry.register(TC, BUNDLE, NOW);
        byte[] whole = Files.readAllBytes(life());

        for (int length = 0; length < whole.length; length++) {
            Files.write(life(), Arrays.copyOf(whole, length));

            assertThat(registry.open(TC)).as("%d bytes", length).isEmpty();
            assertThat(registry.openLives()).as("%d bytes", length).isEmpty();
        }
    }

    @Test
    void readsSpoiledLifeAsNoneOrAsLifeOfTheSameContainer() throws IOException {
        registry.register(TC, BUNDLE, NOW);
        byte[] whole = Files.readAllBytes(life());
        long seed = System.nanoTime();
        Random random = new Random(seed);

        for (int i = 0; i < 2_000; i++) {
            byte[] spoiled = whole.clone();
            spoiled[random.nextInt(spoiled.length)] = (byte) random.nextInt(256);
            Files.write(life(), spoiled);

            assertThat(registry.open(TC).stream())
                    .as("seed %d: %s", seed, new String(spoiled, StandardCharsets.UTF_8))
                    .allMatch(life -> life.container().equals(TC));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "7",
                "{}",
                "{\"v\":2,\"life\":\"x\",\"namespace\":\"default\",\"container_id\":\"tc\",\"created_at\":\"2026-11-23T06:51:23Z\",\"bundle\":\"/b\"}",
                "{\"v\":1,\"life\":\"x\",\"namespace\":\"default\",\"container_id\":\"tc2\",\"created_at\":\"2026-11-23T06:51:23Z\",\"bundle\":\"/b\"}",
                "{\"v\":1,\"life\":\"x\",\"namespace\":\"default\",\"container_id\":\"../tc\",\"created_at\":\"2026-11-23T06:51:23Z\",\"bundle\":\"/b\"}",
                "{\"v\":1,\"life\":\"x\",\"namespace\":\"default\",\"container_id\":\"tc\",\"created_at\":\"yesterday\",\"bundle\":\"/b\"}",
                "{\"v\":1,\"life\":\"x\",\"namespace\":\"default\",\"container_id\":\"tc\",\"created_at\":\"2026-11-23T06:51:23Z\",\"bundle\":\"\\u0000\"}",
                "{\"v\":1,\"life\":{},\"namespace\":[],\"container_id\":{},\"created_at\":{},\"bundle\":{}}",
            })
    void countsWhatIsNoLifeOfTheContainerAsNone(String text) throws IOException {
        registry.register(TC, BUNDLE, NOW);
        Files.writeString(life(), text);

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.openLives()).isEmpty();
    }

    @Test
    void ignoresKeysThatItDoesNotKnow() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);
        Files.writeString(
                life(), Files.readString(life()).replace("{\"v\":1,", "{\"v\":1,\"new\":[1],"));

        assertThat(registry.open(TC)).contains(life);
    }

    @Test
    void countsDirectoryInPlaceOfLifeAsNone() throws IOException {
        Files.createDirectories(life());

        assertThat(registry.open(TC)).isEmpty();
        assertThat(registry.openLives()).isEmpty();
    }

    @Test
    void passesOverStrayFilesAndLinks() throws IOException {
        Life life = registry.register(TC, BUNDLE, NOW);
        Files.writeString(containersDir.resolve("stray"), "");
        Files.writeString(containersDir.resolve("default").resolve("stray"), "");
        Files.createDirectory(containersDir.resolve(".hidden"));
        Files.createDirectory(containersDir.resolve("default").resolve("no container"));
        // Followed, the first would list tc a second time, and the second a life of another name.
        Files.createSymbolicLink(containersDir.resolve("link"), containersDir.resolve("default"));
        Files.createSymbolicLink(containersDir.resolve("default").resolve("link"), directory());

        assertThat(registry.openLives()).containsExactly(life);
    }

    @Test
    void replacesTornLifeWhenTheNextBegins() throws IOException {
        registry.register(TC, BUNDLE, NOW);
        Files.writeString(life(), "{\"v\":1,");

        Life next = registry.register(TC, BUNDLE, NOW);

        assertThat(registry.lives(TC)).containsExactly(next);
    }

    private Path directory() {
        return containersDir.resolve("default").resolve("tc");
    }

    private Path life() {
        return directory().resolve("life.json");
    }
}
