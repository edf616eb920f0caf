package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.ConsoleAppender;
import io.tardis.core.SetupException;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

class LoggingTest {

    private static final Logger LOG = LoggerFactory.getLogger("io.tardis.store.QueryServer");

    @TempDir private Path directory;
    private final ByteArrayOutputStream printedOut = new ByteArrayOutputStream();
    private final ByteArrayOutputStream printedErr = new ByteArrayOutputStream();
    private final PrintStream realOut = System.out;
    private final PrintStream realErr = System.err;
    private Tardis tardis;

    @BeforeEach
    void captureStandardStreams() throws IOException {
        tardis = new Tardis(directory);
        System.setOut(new PrintStream(printedOut, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(printedErr, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void restoreStandardStreams() {
        System.setOut(realOut);
        System.setErr(realErr);
        Logging.forCommand();
    }

    @Test
    void commandsPrintWarningsOnStandardError() {
        Logging.forCommand();

        LOG.info("not logged");
        LOG.warn("logged {}", 1, new IOException("without its stack"));

        assertThat(printedErr.toString(StandardCharsets.UTF_8)).isEqualTo("tardis: logged 1\n");
        assertThat(printedOut.size()).isZero();
    }

    @Test
    void theDaemonLogsToItsFileAndToItsConsole() throws IOException {
        logForDaemon();

        LOG.debug("not logged");
        LOG.info("logged {}", 1);
        Logging.flush();

        assertThat(Files.readString(tardis.logFile()))
                .matches(
                        "20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z INFO  \\[.+] QueryServer: logged 1\n");
        assertThat(
                        printedOut.toString(StandardCharsets.UTF_8)
                                + printedErr.toString(StandardCharsets.UTF_8))
                .endsWith("QueryServer: logged 1\n")
                .hasLineCount(1);
    }

    @Test
    void whatIsPrintedInTheDaemonGoesToItsConsoleOnly() {
        logForDaemon();

        System.out.println("by a library");
        System.err.println("by another");
        Logging.flush();

        assertThat(printedErr.toString(StandardCharsets.UTF_8))
                .isEqualTo("by a library\nby another\n");
        assertThat(tardis.logFile()).isEmptyFile();
    }

    /** Its own standard error leads back into the log. */
    @Test
    void logsToItsConsoleWhereTheLogIsAStandardStream() {
        tardis.set("TARDIS_LOG_FILE", "/dev/stderr");
        logForDaemon();

        LOG.info("logged");
        Logging.flush();

        assertThat(printedErr.toString(StandardCharsets.UTF_8))
                .endsWith("QueryServer: logged\n")
                .hasLineCount(1);
    }

    @Test
    void cutsALineThatIsTooLong() throws IOException {
        logForDaemon();

        LOG.info("x".repeat(1_000_000), new IOException("y".repeat(1_000_000)));
        Logging.flush();

        assertThat(Files.readString(tardis.logFile()))
                .hasSizeLessThan(10_000)
                .matches("(?s).*x\\.\\.\\. \\(\\d{7} characters are left out\\)\n");
    }

    /** A console that nobody reads stops neither who logs nor the file. */
    @Test
    @Timeout(30)
    void aConsoleThatBlocksStopsNobodyElse() throws IOException {
        CountDownLatch read = new CountDownLatch(1);
        Logging.forDaemon(
                tardis.environment().settings(),
                directory,
                lines -> {
                    awaitUninterrupted(read);
                    printedErr.write(lines);
                });
        String line = "z".repeat(8_000);
        for (int i = 0; i < 300; i++) {
            LOG.info(line);
            if (i % 50 == 0) { // the file keeps up, the console does not
                long logged = i * 8_000L;
                await().until(() -> Files.size(tardis.logFile()) > logged);
            }
        }

        read.countDown();

        await().untilAsserted(() ->
                assertThat(printedErr.toString(StandardCharsets.UTF_8))
                        .containsPattern("\\d+ log lines were dropped here"));
        assertThat(Files.readString(tardis.logFile())).doesNotContain("dropped");
    }

    /** As a FIFO is that nobody reads, or a disk that does not answer. */
    @Test
    @Timeout(30)
    void aLogThatDoesNotOpenStopsNobody() throws Exception {
        Process mkfifo = new ProcessBuilder("mkfifo", tardis.logFile().toString()).start();
        assertThat(mkfifo.waitFor()).isZero();

        logForDaemon();
        LOG.info("logged");
        Logging.flush();

        assertThat(printedErr.toString(StandardCharsets.UTF_8))
                .contains(
                        "the log file " + tardis.logFile() + " does not open\n",
                        "QueryServer: logged\n");
        try (BufferedReader reader = Files.newBufferedReader(tardis.logFile())) {
            String line = reader.readLine();
            while (!line.endsWith("QueryServer: logged")) {
                line = reader.readLine();
            }
        }
    }

    @Test
    void opensTheLogAgainWhenItIsAskedTo() throws IOException {
        logForDaemon();
        LOG.info("first");
        Logging.flush();
        Files.move(tardis.logFile(), directory.resolve("tardis.log.1"));

        Logging.reopen();
        LOG.info("second");
        Logging.flush();

        assertThat(Files.readString(tardis.logFile())).endsWith("second\n").hasLineCount(1);
        assertThat(Files.readString(directory.resolve("tardis.log.1"))).endsWith("first\n");
    }

    @Test
    void obeysTheLevel() throws IOException {
        tardis.set("TARDIS_LOG_LEVEL", "error");
        logForDaemon();

        LOG.warn("not logged");
        LOG.error("logged");
        Logging.flush();

        assertThat(Files.readAllLines(tardis.logFile())).hasSize(1);
        assertThat(root().getLevel()).isEqualTo(Level.ERROR);
    }

    @Test
    void makesTheDirectoryOfTheLog() {
        Path file = directory.resolve("var/log/tardis/tardis.log");
        tardis.set("TARDIS_LOG_FILE", file.toString());
        logForDaemon();

        LOG.info("logged");
        Logging.flush();

        assertThat(file).isNotEmptyFile();
    }

    @Test
    void refusesALogThatCannotBeWritten() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "").resolve("tardis.log");
        tardis.set("TARDIS_LOG_FILE", file.toString());

        assertThatThrownBy(this::logForDaemon)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("the log file " + file + " cannot be written");
    }

    @Test
    void refusesADirectoryInThePlaceOfTheLog() throws IOException {
        Files.createDirectory(tardis.logFile());

        assertThatThrownBy(this::logForDaemon)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("the log file " + tardis.logFile() + " cannot be written");
    }

    @Test
    void theLastCallCounts() throws IOException {
        logForDaemon();
        Logging.forCommand();

        LOG.warn("logged");

        assertThat(tardis.logFile()).isEmptyFile();
        assertThat(appenders()).hasSize(1).first().isInstanceOf(ConsoleAppender.class);
    }

    private static ch.qos.logback.classic.Logger root() {
        return ((LoggerContext) LoggerFactory.getILoggerFactory())
                .getLogger(Logger.ROOT_LOGGER_NAME);
    }

    private static List<Appender<ILoggingEvent>> appenders() {
        List<Appender<ILoggingEvent>> appenders = new ArrayList<>();
        root().iteratorForAppenders().forEachRemaining(appenders::add);
        return appenders;
    }

    private void logForDaemon() {
        Logging.forDaemon(tardis.environment().settings(), directory, printedErr::write);
    }

    private static void awaitUninterrupted(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
