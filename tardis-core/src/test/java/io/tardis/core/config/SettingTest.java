package io.tardis.core.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class SettingTest {

    @Test
    void readmeListsEverySettingAsItIs() throws IOException {
        List<String> table =
                Files.readAllLines(Path.of("../README.md")).stream()
                        .filter(line -> line.startsWith("| `TARDIS_"))
                        .toList();

        assertThat(table)
                .containsExactlyElementsOf(
                        Stream.of(Setting.values())
                                .map(it ->
                                        "| `%s` | `%s` | %s |"
                                                .formatted(
                                                        it.key(),
                                                        it.defaultValue(),
                                                        it.description()))
                                .toList());
    }
}
