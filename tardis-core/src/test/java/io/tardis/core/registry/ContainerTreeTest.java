package io.tardis.core.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class ContainerTreeTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");

    @TempDir private Path folder;
    private Path root;
    private Path outside;

    @BeforeEach
    void prepare() throws IOException {
        root = Files.createDirectory(folder.resolve("root"));
        outside = Files.createDirectories(folder.resolve("outside/deep"));
        Files.writeString(outside.resolve("precious"), "precious");
    }

    @Test
    void removesTheContainersDirectoryAndNothingElse() throws IOException {
        Files.createDirectories(root.resolve("default/tc/a/b"));
        Files.writeString(root.resolve("default/tc/a/b/file"), "");
        Files.createDirectories(root.resolve("default/tc2"));
        Files.createDirectories(root.resolve("k8s.io/tc"));

        ContainerTree.remove(root, TC, true);

        assertThat(root.resolve("default/tc")).doesNotExist();
        assertThat(root.resolve("default/tc2")).isDirectory();
        assertThat(root.resolve("k8s.io/tc")).isDirectory();
    }

    /** A file of that name is somebody else's where lives have none. */
    @Test
    void removesALifesFileInPlaceOnlyWhereLivesHaveThem() throws IOException {
        for (boolean isOfLives : List.of(true, false)) {
            Files.createDirectories(root.resolve("default/tc"));
            Files.writeString(root.resolve("default/tc/life.json"), "");

            ContainerTree.remove(root, TC, isOfLives);

            assertThat(root.resolve("default/tc")).doesNotExist();
            assertThat(Files.exists(root.resolve(".removed"))).isEqualTo(!isOfLives);
        }
    }

    @Test
    void doesNothingWhereThereIsNothing() throws IOException {
        assertThatCode(() -> ContainerTree.remove(root, TC, true)).doesNotThrowAnyException();
        assertThatCode(() -> ContainerTree.remove(folder.resolve("missing"), TC, true))
                .doesNotThrowAnyException();
        Files.createDirectories(root.resolve("default"));
        assertThatCode(() -> ContainerTree.remove(root, TC, true)).doesNotThrowAnyException();
    }

    @Test
    void removesALinkInPlaceOfTheDirectoryAndNotWhatItNames() throws IOException {
        Files.createDirectories(root.resolve("default"));
        Files.createSymbolicLink(root.resolve("default/tc"), outside);

        ContainerTree.remove(root, TC, true);

        assertThat(Files.exists(root.resolve("default/tc"), LinkOption.NOFOLLOW_LINKS)).isFalse();
        assertThat(outside.resolve("precious")).hasContent("precious");
    }

    @Test
    void refusesALinkInPlaceOfTheNamespace() throws IOException {
        Files.createDirectories(outside.resolve("tc"));
        Files.createSymbolicLink(root.resolve("default"), outside);

        assertThatThrownBy(() -> ContainerTree.remove(root, TC, true))
                .isInstanceOf(IOException.class);

        assertThat(outside.resolve("tc")).isDirectory();
    }

    @Test
    void removesLinksDeepInsideAndNotWhatTheyName() throws IOException {
        Path deep = Files.createDirectories(root.resolve("default/tc/a/b"));
        Files.createSymbolicLink(deep.resolve("folder"), outside);
        Files.createSymbolicLink(deep.resolve("file"), outside.resolve("precious"));
        Files.createSymbolicLink(deep.resolve("nowhere"), folder.resolve("missing"));
        Files.createSymbolicLink(deep.resolve("up"), Path.of("../../../.."));

        ContainerTree.remove(root, TC, true);

        assertThat(root.resolve("default/tc")).doesNotExist();
        assertThat(outside.resolve("precious")).hasContent("precious");
    }

    /** An administrator may put the state directory elsewhere with a link. */
    @Test
    void followsALinkThatLeadsToTheRoot() throws IOException {
        Path link = Files.createSymbolicLink(folder.resolve("link"), root);
        Files.createDirectories(root.resolve("default/tc/a"));

        ContainerTree.remove(link, TC, true);

        assertThat(root.resolve("default/tc")).doesNotExist();
    }

    @Test
    void movesALargeTreeAwayAndDoesNotWaitForItsRemoval() throws IOException {
        Path directory = Files.createDirectories(root.resolve("default/tc/many"));
        for (int i = 0; i < 200; i++) {
            Files.createFile(directory.resolve("file" + i));
        }

        ContainerTree.remove(root, TC, true);

        assertThat(root.resolve("default/tc")).doesNotExist();
        try (Stream<Path> moved = Files.walk(root.resolve(".removed"))) {
            assertThat(moved.filter(Files::isRegularFile)).hasSize(200);
        }
        assertThat(
                        PosixFilePermissions.toString(
                                Files.getPosixFilePermissions(root.resolve(".removed"))))
                .isEqualTo("rwx------");
    }

    /** Most containers have nothing else. */
    @Test
    void removesALifesFileAtOnce() throws IOException {
        Path directory = Files.createDirectories(root.resolve("default/tc"));
        Files.createSymbolicLink(directory.resolve("life.json"), outside.resolve("precious"));

        ContainerTree.remove(root, TC, true);

        assertThat(directory).doesNotExist();
        assertThat(root.resolve(".removed")).doesNotExist();
        assertThat(outside.resolve("precious")).hasContent("precious");
    }

    @Test
    void movesNothingThroughALinkInPlaceOfTheDirectoryForWhatIsRemoved() throws IOException {
        Files.createSymbolicLink(root.resolve(".removed"), outside);
        Files.createDirectories(root.resolve("default/tc/a"));

        assertThatThrownBy(() -> ContainerTree.remove(root, TC, true))
                .isInstanceOf(IOException.class);

        assertThat(root.resolve("default/tc/a")).exists();
        try (Stream<Path> inside = Files.list(outside)) {
            assertThat(inside).containsExactly(outside.resolve("precious"));
        }
    }

    /** What somebody else removes meanwhile is gone, and no reason to stop. */
    @Test
    void goesOnWhenFilesVanishMeanwhile() throws Exception {
        Path directory = root.resolve("default/tc");
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            for (int round = 0; round < 20; round++) {
                List<Path> files = new ArrayList<>();
                Files.createDirectories(directory);
                for (int i = 0; i < 200; i++) {
                    files.add(Files.createFile(directory.resolve("file" + i)));
                }
                Future<?> other =
                        thread.submit(() -> {
                            for (Path file : files.reversed()) {
                                Files.deleteIfExists(file);
                            }
                            return null;
                        });

                ContainerTree.remove(root, TC, true);

                other.get();
                assertThat(directory).doesNotExist();
            }
        }
    }

    /** Whoever owns the container's directory swaps one in it for a link, all the time. */
    @Test
    @Timeout(60)
    void removesNothingBehindALinkThatIsSwappedInMeanwhile() throws Exception {
        Path directory = root.resolve("default/tc");
        Path swapped = directory.resolve("swapped");
        AtomicBoolean enough = new AtomicBoolean();
        AtomicInteger links = new AtomicInteger();
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            Future<?> attacker =
                    thread.submit(() -> {
                        while (!enough.get()) {
                            boolean _ = attempt(() -> Files.createDirectory(swapped));
                            boolean _ = attempt(() -> Files.deleteIfExists(swapped));
                            if (attempt(() -> Files.createSymbolicLink(swapped, outside))) {
                                links.incrementAndGet();
                            }
                            boolean _ = attempt(() -> Files.deleteIfExists(swapped));
                        }
                        return null;
                    });
            try {
                for (int round = 0; round < 3000; round++) {
                    Files.createDirectories(directory);
                    boolean _ =
                            attempt(() -> {
                                ContainerTree.remove(root, TC, true);
                                return TC;
                            });
                    assertThat(outside.resolve("precious")).hasContent("precious");
                }
            } finally {
                enough.set(true);
            }
            attacker.get();
        }
        assertThat(links).hasPositiveValue();
    }

    /** Whether it succeeded: the other side may be faster, which is what this is about. */
    private static boolean attempt(Callable<?> act) throws Exception {
        try {
            act.call();
            return true;
        } catch (IOException _) {
            return false;
        }
    }
}
