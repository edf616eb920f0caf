package io.tardis.core.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.event.ContainerKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContainerTreeTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");

    @TempDir private Path dir;
    private Path root;
    private Path directory;

    /** What a removal that follows a link would destroy. */
    private Path treasure;

    @BeforeEach
    void plantTreasure() throws IOException {
        root = dir.resolve("containers");
        directory = root.resolve("default").resolve("tc");
        treasure = dir.resolve("elsewhere").resolve("tc").resolve("treasure");
        Files.createDirectories(treasure.getParent());
        Files.writeString(treasure, "precious");
    }

    @Test
    void removesFilesAndDirectories() throws IOException {
        Files.createDirectories(directory.resolve("a/b/c"));
        Files.writeString(directory.resolve("a/b/c/file"), "");
        Files.writeString(directory.resolve(".hidden"), "");
        Files.createDirectories(root.resolve("default/tc2"));

        ContainerTree.remove(root, TC);

        assertThat(directory).doesNotExist();
        assertThat(root.resolve("default/tc2")).isDirectory();
    }

    @Test
    void removesPlainFileOfThatName() throws IOException {
        Files.createDirectories(directory.getParent());
        Files.writeString(directory, "");

        ContainerTree.remove(root, TC);

        assertThat(directory).doesNotExist();
    }

    @Test
    void doesNothingWhereThereIsNothing() throws IOException {
        ContainerTree.remove(root, TC);
        Files.createDirectory(root);
        ContainerTree.remove(root, TC);
        Files.createDirectory(root.resolve("default"));
        ContainerTree.remove(root, TC);

        assertThat(root.resolve("default")).isEmptyDirectory();
    }

    @Test
    void removesTheLinkAndNotWhatItNamesInPlaceOfTheContainer() throws IOException {
        Files.createDirectories(directory.getParent());
        Files.createSymbolicLink(directory, treasure.getParent());

        ContainerTree.remove(root, TC);

        assertThat(Files.isSymbolicLink(directory)).isFalse();
        assertThat(treasure).hasContent("precious");
    }

    @Test
    void refusesLinkInPlaceOfTheNamespace() throws IOException {
        Files.createDirectories(root);
        Files.createSymbolicLink(root.resolve("default"), dir.resolve("elsewhere"));

        assertThatThrownBy(() -> ContainerTree.remove(root, TC)).isInstanceOf(IOException.class);

        assertThat(treasure).hasContent("precious");
    }

    @Test
    void removesLinksDeepInsideAndNotWhatTheyName() throws IOException {
        Path deep = Files.createDirectories(directory.resolve("a/b"));
        Files.createSymbolicLink(deep.resolve("directory"), treasure.getParent());
        Files.createSymbolicLink(deep.resolve("file"), treasure);
        Files.createSymbolicLink(deep.resolve("up"), Path.of("../../.."));
        Files.createSymbolicLink(deep.resolve("dangling"), Path.of("nowhere"));
        Files.createDirectories(root.resolve("default/tc2"));

        ContainerTree.remove(root, TC);

        assertThat(directory).doesNotExist();
        assertThat(treasure).hasContent("precious");
        assertThat(root.resolve("default/tc2")).isDirectory();
    }

    @Test
    void mayItselfBeReachedThroughLink() throws IOException {
        Files.createDirectories(directory);
        Path link = Files.createSymbolicLink(dir.resolve("link"), root);

        ContainerTree.remove(link, TC);

        assertThat(directory).doesNotExist();
    }

    @Test
    void refusesTreeThatWouldTakeTooManyDescriptors() throws IOException {
        Files.createDirectories(directory.resolve("d/".repeat(200)));

        assertThatThrownBy(() -> ContainerTree.remove(root, TC))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("directories deep");
    }
}
