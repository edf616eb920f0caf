package io.tardis.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.OutputStreamAppender;
import ch.qos.logback.core.rolling.FixedWindowRollingPolicy;
import ch.qos.logback.core.rolling.RollingFileAppender;
import ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy;
import ch.qos.logback.core.util.FileSize;
import io.tardis.core.SetupException;
import io.tardis.core.config.Settings;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.slf4j.LoggerFactory;

/** Where each kind of process logs. Called once, before anything is logged. */
final class Logging {

    private static final String FILE_PATTERN =
            "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX, UTC} %-5level [%thread] %logger{0}: %msg%n";
    private static final String CONSOLE_PATTERN = "tardis: %msg%n%nopex";
    private static final String MAX_FILE_SIZE = "10MB";
    private static final int MAX_OLD_FILES = 3;
    private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

    private Logging() {}

    /** Commands tell warnings on standard error. */
    static void forCommand() {
        attach(console(CONSOLE_PATTERN), Level.WARN);
    }

    /**
     * The daemon logs to its file, at most four of 10 MB each, and to standard error, unless that
     * is the same, or the launcher's {@code start.log}, which nobody would cut.
     */
    static void forDaemon(Settings settings) {
        RollingFileAppender<ILoggingEvent> file = new RollingFileAppender<>();
        String name = openable(settings.logFile()).toString();
        file.setFile(name);
        FixedWindowRollingPolicy rolling = new FixedWindowRollingPolicy();
        rolling.setContext(context());
        rolling.setFileNamePattern(name + ".%i");
        rolling.setMinIndex(1);
        rolling.setMaxIndex(MAX_OLD_FILES);
        rolling.setParent(file);
        rolling.start();
        SizeBasedTriggeringPolicy<ILoggingEvent> trigger = new SizeBasedTriggeringPolicy<>();
        trigger.setContext(context());
        trigger.setMaxFileSize(FileSize.valueOf(MAX_FILE_SIZE));
        trigger.start();
        file.setRollingPolicy(rolling);
        file.setTriggeringPolicy(trigger);
        Level level = Level.valueOf(settings.logLevel());
        attach(withPattern(file, FILE_PATTERN), level);
        if (isAnother(STANDARD_ERROR, settings.logFile())
                && isAnother(STANDARD_ERROR, settings.runDir().resolve("start.log"))) {
            root().addAppender(console(FILE_PATTERN));
        }
    }

    /** In the background both are the same file, which shall have each line once. */
    private static boolean isAnother(Path stream, Path logFile) {
        try {
            return !Files.isSameFile(stream, logFile);
        } catch (IOException e) {
            return !Files.exists(logFile); // else the stream is closed
        }
    }

    private static OutputStreamAppender<ILoggingEvent> console(String pattern) {
        ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
        console.setTarget("System.err");
        return withPattern(console, pattern);
    }

    private static OutputStreamAppender<ILoggingEvent> withPattern(
            OutputStreamAppender<ILoggingEvent> appender, String pattern) {
        PatternLayoutEncoder encoder = new PatternLayoutEncoder();
        encoder.setContext(context());
        encoder.setPattern(pattern);
        encoder.start();
        appender.setContext(context());
        appender.setEncoder(encoder);
        appender.start();
        return appender;
    }

    private static void attach(OutputStreamAppender<ILoggingEvent> appender, Level level) {
        context().reset();
        appender.start();
        root().setLevel(level);
        root().addAppender(appender);
    }

    /**
     * The file, which is made where it is not. Logback itself goes on in silence where its file
     * cannot be opened.
     *
     * @throws SetupException if it cannot be opened
     */
    static Path openable(Path file) {
        try {
            Path directory = file.getParent();
            if (directory != null) {
                Files.createDirectories(directory);
            }
            try (OutputStream _ =
                    Files.newOutputStream(
                            file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
                return file;
            }
        } catch (IOException e) {
            throw new SetupException("the log file " + file + " cannot be written: " + e, e);
        }
    }

    private static LoggerContext context() {
        return (LoggerContext) LoggerFactory.getILoggerFactory();
    }

    private static Logger root() {
        return context().getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    }
}
