package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.testkit.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An image says what is in config.json: many large ones at once must not take the memory. */
class LargeConfigurationsTest {

    private static final int SIZE = 7_900_000;

    @TempDir private Path folder;

    @Test
    @Timeout(120)
    void readsManyAtOnceInASmallHeap() throws IOException {
        Path shortArguments = Files.createDirectory(folder.resolve("arguments"));
        write(shortArguments, "[" + "\"a\",".repeat(SIZE / 4) + "\"a\"]");
        Path longString = Files.createDirectory(folder.resolve("string"));
        write(longString, "[\"" + "\u00fc".repeat(SIZE / 2) + "\"]");
        Path names = Files.createDirectory(folder.resolve("names"));
        StringBuilder object = new StringBuilder("{");
        for (int i = 0; object.length() < SIZE; i++) {
            object.append("\"k").append(i).append("\":1,");
        }
        write(names, object.append("\"k\":1}").toString());

        try (ChildJvm child =
                ChildJvm.start(
                        ConfigurationReader.class,
                        shortArguments.toString(),
                        longString.toString(),
                        names.toString())) {
            assertThat(child.line()).isEqualTo(3 * ConfigurationReader.AT_ONCE + " enabled");
        }
    }

    private static void write(Path bundle, String value) throws IOException {
        Files.writeString(
                bundle.resolve("config.json"),
                "{\"process\":{\"args\":" + value + ",\"env\":[\"TARDIS_ENABLE=1\"]}}");
    }
}
