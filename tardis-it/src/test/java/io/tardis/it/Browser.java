package io.tardis.it;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.opentest4j.TestAbortedException;

/**
 * Headless Chromium, to look at a page. Where it is not installed, the test is skipped and says so.
 * With {@code CI=true} it fails there, if {@code prepare.sh} was to install it.
 */
final class Browser {

    private final String program;
    private final Path profile;

    /** What a page became: the document as HTML, and what it said on the console. */
    record Page(String document, List<String> console) {}

    private Browser(String program, Path profile) {
        this.program = program;
        this.profile = profile;
    }

    static Browser orSkip(Path profile) {
        return Programs.search("chromium")
                .map(it -> new Browser(it.toString(), profile))
                .orElseThrow(Browser::missing);
    }

    private static RuntimeException missing() {
        String reason = "no chromium is installed to look at a page";
        System.out.println("Skipped: " + reason);
        return new TestAbortedException(reason);
    }

    Page open(Path file) {
        List<String> argv = new ArrayList<>(List.of(program));
        argv.addAll(
                List.of(
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--no-first-run",
                        "--user-data-dir=" + profile,
                        "--enable-logging=stderr",
                        "--v=0",
                        "--dump-dom",
                        file.toUri().toString()));
        Outcome outcome = Command.of(argv).within(Duration.ofMinutes(2)).run().orFail();
        String document =
                new String(
                        outcome.out().getBytes(StandardCharsets.ISO_8859_1),
                        StandardCharsets.UTF_8);
        return new Page(
                document, outcome.err().lines().filter(line -> line.contains("CONSOLE")).toList());
    }
}
