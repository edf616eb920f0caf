package io.tardis.core.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What was moved away is removed in the background, and nothing that is mounted is touched. */
@Timeout(120)
class RemovedTreesTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");

    @TempDir private Path folder;
    private final List<Path> mounted = new ArrayList<>();
    private Path root;
    private Path container;

    @BeforeEach
    void prepare() throws IOException {
        root = Files.createDirectory(folder.resolve("root"));
        container = root.resolve("default/tc");
    }

    @AfterEach
    void unmount() throws Exception {
        for (Path place : mounted.reversed()) {
            run("umount", place.toString());
        }
    }

    @Test
    void removesWhatWasMovedAway() throws IOException {
        fill(container, 20, 50);
        try (RemovedTrees removed = start()) {
            ContainerTree.remove(root, TC, true);
            assertThat(container).doesNotExist();
            removed.look();

            awaitNothingIsLeft();
        }
    }

    @Test
    void closesItsDirectoryToOthers() throws IOException {
        Path directory = Files.createDirectory(root.resolve(".removed"));
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
        fill(container, 1, 1);

        ContainerTree.remove(root, TC, true);

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)))
                .isEqualTo("rwx------");
    }

    @Test
    void theContainerHasGoneBeforeItsFilesAre() throws IOException {
        fill(container, 100, 200);

        ContainerTree.remove(root, TC, true);

        assertThat(container).doesNotExist();
        try (Stream<Path> left = Files.walk(root.resolve(".removed"))) {
            assertThat(left.filter(Files::isRegularFile)).hasSize(20_000);
        }
        try (RemovedTrees _ = start()) {
            awaitNothingIsLeft();
        }
    }

    @Test
    void removesWhatAnEarlierProcessHasLeft() throws IOException {
        fill(root.resolve(".removed/" + UUID.randomUUID()), 2, 2);
        Files.createFile(root.resolve(".removed/" + UUID.randomUUID()));

        try (RemovedTrees _ = start()) {
            awaitNothingIsLeft();
        }
    }

    @Test
    void stopsInTheMiddleOfATreeAndLeavesTheRestForTheNextStart() throws IOException {
        fill(container, 20, 100);
        ContainerTree.remove(root, TC, true);

        start().close();
        try (RemovedTrees _ = start()) {
            awaitNothingIsLeft();
        }
    }

    /** Deeper than a path can be, and than there are descriptors. */
    @Test
    void removesATreeOfAnyDepth() throws IOException {
        Path tree = Files.createDirectory(folder.resolve("tree"));
        for (int depth = 0; depth < 3_000; depth++) {
            // From the bottom up: no path gets long.
            Path above = Files.createDirectory(folder.resolve("above"));
            Files.move(tree, above.resolve("deep"));
            Files.move(above, tree);
        }
        Files.createDirectory(root.resolve("default"));
        Files.move(tree, container);

        ContainerTree.remove(root, TC, true);

        assertThat(container).doesNotExist();
        try (RemovedTrees _ = start()) {
            awaitNothingIsLeft();
        }
    }

    @Test
    void followsNoLink() throws IOException {
        Path precious =
                Files.createFile(Files.createDirectory(folder.resolve("p")).resolve("precious"));
        Files.createDirectories(container.resolve("a"));
        Files.createSymbolicLink(container.resolve("a/link"), precious.getParent());
        ContainerTree.remove(root, TC, true);
        Files.createSymbolicLink(root.resolve(".removed/link"), precious.getParent());

        try (RemovedTrees _ = start()) {
            awaitNothingIsLeft();
        }
        assertThat(precious).exists();
    }

    // --- mounts

    @Test
    void leavesAnotherFileSystemWhereItIsAndRemovesTheRest() throws Exception {
        fill(container, 3, 3);
        Path place = mountTmpfs(container.resolve("a/b/mounted here\\n"));
        Path precious = Files.createFile(place.resolve("precious"));
        Files.createFile(container.resolve("a/b/beside"));

        removeAndAwait();

        assertThat(precious).exists();
        assertThat(entries(container))
                .containsExactly("a", "a/b", "a/b/mounted here\\n", "a/b/mounted here\\n/precious");
    }

    @Test
    void leavesABindMountOfTheSameFileSystem() throws Exception {
        fill(container, 3, 3);
        Path precious =
                Files.createFile(Files.createDirectory(folder.resolve("p")).resolve("precious"));
        bind(folder.resolve("p"), Files.createDirectory(container.resolve("bind")));

        removeAndAwait();

        assertThat(precious).exists();
        assertThat(entries(container)).containsExactly("bind", "bind/precious");
    }

    @Test
    void leavesAFileThatIsABindMount() throws Exception {
        Files.createDirectories(container);
        Path precious = Files.writeString(folder.resolve("precious"), "precious");
        bind(precious, Files.createFile(container.resolve("bind")));
        Path life = Files.createFile(container.resolve("life.json"));

        ContainerTree.remove(root, TC, true);

        assertThat(precious).hasContent("precious");
        assertThat(life).doesNotExist();
        assertThat(entries(container)).containsExactly("bind");
        assertThat(root.resolve(".removed")).isEmptyDirectory();
    }

    @Test
    void leavesTheDirectoryThatIsItselfAMountPointAlone() throws Exception {
        mountTmpfs(container);
        Path life = Files.createFile(container.resolve("life.json"));
        Path kept = Files.createDirectory(container.resolve("kept"));

        ContainerTree.remove(root, TC, true);

        assertThat(kept).exists();
        assertThat(life).doesNotExist();
    }

    @Test
    void leavesANamespaceThatIsAMountPointAlone() throws Exception {
        Path elsewhere = Files.createDirectories(folder.resolve("elsewhere"));
        Path namespace = Files.createDirectory(root.resolve("default"));
        bind(elsewhere, namespace);
        fill(container, 2, 2);

        ContainerTree.remove(root, TC, true);

        assertThat(elsewhere.resolve("tc/d0/f0")).exists();
    }

    /** It was mounted between the look and the rename, or by somebody who held the directory. */
    @Test
    void leavesWhatIsMountedInATreeThatWasMovedAway() throws Exception {
        fill(container, 3, 3);
        ContainerTree.remove(root, TC, true);
        Path moved;
        try (Stream<Path> trees = Files.list(root.resolve(".removed"))) {
            moved = trees.findFirst().orElseThrow();
        }
        Path precious = Files.createFile(mountTmpfs(moved.resolve("d1/m")).resolve("precious"));

        try (RemovedTrees removed = start()) {
            await().until(() -> entries(moved).size() == 3);
            removed.look();
        }
        assertThat(precious).exists();
        assertThat(entries(moved)).containsExactly("d1", "d1/m", "d1/m/precious");
    }

    private void removeAndAwait() throws IOException {
        try (RemovedTrees removed = start()) {
            ContainerTree.remove(root, TC, true);
            removed.look();
            awaitNothingIsLeft();
        }
    }

    private RemovedTrees start() {
        RemovedTrees removed = new RemovedTrees(List.of(root, folder.resolve("missing")));
        removed.start();
        return removed;
    }

    private void awaitNothingIsLeft() {
        await().until(() ->
                Files.isDirectory(root.resolve(".removed"))
                        && entries(root.resolve(".removed")).isEmpty());
    }

    /** All that is below a directory, in its order. */
    private static List<String> entries(Path directory) throws IOException {
        try (Stream<Path> paths = Files.walk(directory)) {
            return paths.skip(1).map(it -> directory.relativize(it).toString()).sorted().toList();
        } catch (java.io.UncheckedIOException | IOException e) {
            return List.of("something vanished meanwhile: " + e);
        }
    }

    private static void fill(Path directory, int directories, int filesInEach) throws IOException {
        for (int i = 0; i < directories; i++) {
            Path below = Files.createDirectories(directory.resolve("d" + i));
            for (int j = 0; j < filesInEach; j++) {
                Files.createFile(below.resolve("f" + j));
            }
        }
    }

    private Path mountTmpfs(Path place) throws Exception {
        Files.createDirectories(place);
        mount("-t", "tmpfs", "tmpfs", place.toString());
        mounted.add(place);
        return place;
    }

    private void bind(Path what, Path place) throws Exception {
        mount("--bind", what.toString(), place.toString());
        mounted.add(place);
    }

    private static void mount(String... arguments) throws Exception {
        assumeThat(Files.getOwner(Path.of("/proc/self"), LinkOption.NOFOLLOW_LINKS).getName())
                .as("only root can mount")
                .isEqualTo("root");
        List<String> command = new ArrayList<>(List.of("mount"));
        command.addAll(List.of(arguments));
        run(command.toArray(String[]::new));
    }

    private static void run(String... command) throws Exception {
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor())
                .as(String.join(" ", command))
                .isZero();
    }
}
