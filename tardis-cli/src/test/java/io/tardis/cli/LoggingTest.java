package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.FileAppender;
import ch.qos.logback.core.rolling.FixedWindowRollingPolicy;
import ch.qos.logback.core.rolling.RollingFileAppender;
import io.tardis.core.SetupException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
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
    void commandsTellWarningsOnStandardError() {
        Logging.forCommand();

        LOG.info("not told");
        LOG.warn("told {}", 1, new IOException("without its stack"));

        assertThat(printedErr.toString(StandardCharsets.UTF_8)).isEqualTo("tardis: told 1\n");
        assertThat(printedOut.size()).isZero();
    }

    @Test
    void theDaemonLogsToItsFileAndToItsConsole() throws IOException {
        Logging.forDaemon(tardis.environment().settings());

        LOG.debug("not told");
        LOG.info("told {}", 1);

        assertThat(Files.readString(tardis.logFile()))
                .matches(
                        "20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z INFO  \\[.+] QueryServer: told 1\n");
        assertThat(
                        printedOut.toString(StandardCharsets.UTF_8)
                                + printedErr.toString(StandardCharsets.UTF_8))
                .endsWith("QueryServer: told 1\n")
                .hasLineCount(1);
    }

    @Test
    void theDaemonKeepsABoundedLog() {
        Logging.forDaemon(tardis.environment().settings());

        RollingFileAppender<ILoggingEvent> file = appender(RollingFileAppender.class);
        assertThat(file.isStarted()).isTrue();
        FixedWindowRollingPolicy rolling = (FixedWindowRollingPolicy) file.getRollingPolicy();
        assertThat(rolling.getMaxIndex()).isEqualTo(3);
        assertThat(rolling.getFileNamePattern()).isEqualTo(tardis.logFile() + ".%i");
    }

    @Test
    void obeysTheLevel() throws IOException {
        tardis.set("TARDIS_LOG_LEVEL", "error");
        Logging.forDaemon(tardis.environment().settings());

        LOG.warn("not told");
        LOG.error("told");

        assertThat(Files.readAllLines(tardis.logFile())).hasSize(1);
        assertThat(root().getLevel()).isEqualTo(Level.ERROR);
    }

    @Test
    void makesTheDirectoryOfTheLog() {
        Path file = directory.resolve("var/log/tardis/tardis.log");
        tardis.set("TARDIS_LOG_FILE", file.toString());
        Logging.forDaemon(tardis.environment().settings());

        LOG.info("told");

        assertThat(file).isNotEmptyFile();
    }

    @Test
    void refusesALogThatCannotBeWritten() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "").resolve("tardis.log");
        tardis.set("TARDIS_LOG_FILE", file.toString());

        assertThatThrownBy(() -> Logging.forDaemon(tardis.environment().settings()))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("the log file " + file + " cannot be written");
    }

    @Test
    void refusesADirectoryInThePlaceOfTheLog() throws IOException {
        Files.createDirectory(tardis.logFile());

        assertThatThrownBy(() -> Logging.forDaemon(tardis.environment().settings()))
                .isInstanceOf(SetupException.class)
                .hasMessageContaining("the log file " + tardis.logFile() + " cannot be written");
    }

    @Test
    void theLastCallCounts() throws IOException {
        Logging.forDaemon(tardis.environment().settings());
        Logging.forCommand();

        LOG.warn("told");

        assertThat(tardis.logFile()).isEmptyFile();
        assertThat(appenders()).hasSize(1).first().isInstanceOf(ConsoleAppender.class);
        assertThat(appenders()).noneMatch(FileAppender.class::isInstance);
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

    @SuppressWarnings("unchecked") // every appender of the root logger takes the same events
    private static <A extends Appender<ILoggingEvent>> A appender(Class<? super A> type) {
        return (A) appenders().stream().filter(type::isInstance).findFirst().orElseThrow();
    }
}
