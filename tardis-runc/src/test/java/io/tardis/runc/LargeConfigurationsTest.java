package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.testkit.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An image says what is in config.json: many large ones at once must not take the memory. */
class LargeConfigurationsTest {

    private static final int SIZE = 7_900_000;
    private static final int AT_ONCE = 8;

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
                        Reader.class,
                        shortArguments.toString(),
                        longString.toString(),
                        names.toString())) {
            assertThat(child.line()).isEqualTo(3 * AT_ONCE + " enabled");
        }
    }

    private static void write(Path bundle, String value) throws IOException {
        Files.writeString(
                bundle.resolve("config.json"),
                "{\"process\":{\"args\":" + value + ",\"env\":[\"TARDIS_ENABLE=1\"]}}");
    }

    /** Reads each bundle several times at once; a child has a heap of 128 MiB. */
    static final class Reader {

        private Reader() {}

        public static void main(String[] bundles) throws Exception {
            List<Thread> threads = new ArrayList<>();
            List<String> results = java.util.Collections.synchronizedList(new ArrayList<>());
            for (String bundle : bundles) {
                for (int i = 0; i < AT_ONCE; i++) {
                    threads.add(
                            Thread.ofPlatform()
                                    .start(() -> results.add(read(Path.of(bundle)))));
                }
            }
            for (Thread thread : threads) {
                thread.join();
            }
            boolean all = results.stream().allMatch("enabled"::equals);
            System.out.println(all ? results.size() + " enabled" : results);
        }

        /** A reader that others hold up for too long gives up, and is not what this is about. */
        private static String read(Path bundle) {
            for (int attempt = 0; ; attempt++) {
                try {
                    return Bundle.isTardisEnabled(bundle) ? "enabled" : "not enabled";
                } catch (IOException e) {
                    if (attempt == 50) {
                        return e.toString();
                    }
                }
            }
        }
    }
}
