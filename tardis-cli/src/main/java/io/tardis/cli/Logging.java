package io.tardis.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.PatternLayout;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.LoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.UnsynchronizedAppenderBase;
import io.tardis.core.SetupException;
import io.tardis.core.config.Layout;
import io.tardis.core.config.Settings;
import io.tardis.listener.StandardStreams;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.LoggerFactory;

/** Where each kind of process logs. Called once, before anything is logged. */
final class Logging {

    private static final String FILE_PATTERN =
            "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX, UTC} %-5level [%thread] %logger{0}: %msg%n";
    private static final String CONSOLE_PATTERN = "tardis: %msg%n%nopex";
    private static final long MAX_FILE_BYTES = 10 << 20;

    /** What is over that of one line, its stack trace included, is cut. */
    private static final int MAX_LINE_CHARACTERS = 8 << 10;

    private static final Path NULL = Path.of("/dev/null");
    private static final String FILE_THREAD = "tardis-log-file";
    private static final Duration OPEN_PATIENCE = Duration.ofSeconds(1);
    private static final Duration FLUSH_PATIENCE = Duration.ofMillis(500);

    /** Empty where a process logs without queues. */
    private static volatile List<LogWriter> writers = List.of();

    private static volatile Runnable reopen = () -> {};

    /** Logs what the JVM has printed until now; does nothing where that goes to its own streams. */
    private static volatile Runnable takeLastPrinted = () -> {};

    private Logging() {}

    /** Commands print warnings on standard error. */
    static void forCommand() {
        PatternLayoutEncoder encoder = new PatternLayoutEncoder();
        encoder.setContext(context());
        encoder.setPattern(CONSOLE_PATTERN);
        encoder.start();
        ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
        console.setTarget("System.err");
        console.setContext(context());
        console.setEncoder(encoder);
        attach(console, "WARN");
    }

    /**
     * The daemon logs to its file, at most four of 10 MB each, and to standard error, unless that
     * is the same or the file of those who start daemons. From now on nothing in this process
     * writes to standard output or standard error itself, and what the JVM has to say is logged.
     *
     * @throws SetupException if the file cannot be opened; one that blocks is waited for a moment
     */
    static void forDaemon(Settings settings) {
        try {
            StandardStreams streams = StandardStreams.take();
            forDaemon(settings, streams.error(), streams::writeError);
            Thread reader =
                    Thread.ofPlatform()
                            .daemon()
                            .name("tardis-log-printed")
                            .start(() -> logPrinted(streams.printed()));
            takeLastPrinted = () -> takeLast(streams, reader);
        } catch (IOException e) {
            throw new SetupException("the standard streams cannot be taken: " + e, e);
        }
    }

    /** The same with another standard error. */
    static void forDaemon(Settings settings, Path errorFile, LogWriter.Output standardError) {
        LogWriter errorWriter = new LogWriter("standard error", standardError, Logging::dropped);
        CompletableFuture<Void> _ = errorWriter.start("tardis-log-stderr");
        PrintStream prints = new PrintStream(errorWriter.asStream(), true, StandardCharsets.UTF_8);
        System.setOut(prints);
        System.setErr(prints);
        writers = List.of(errorWriter); // for who cannot even log
        Path path = pathOf(settings);
        LogWriter fileWriter = fileWriter(path, MAX_FILE_BYTES);
        boolean opened = awaitOpened(fileWriter.start(FILE_THREAD), path);
        boolean both =
                isAnother(errorFile, path)
                        && isAnother(errorFile, settings.runDir().resolve(Layout.START_LOG));
        writers = List.of(fileWriter, errorWriter);
        attach(new Queues(both ? writers : List.of(fileWriter)), settings.logLevel());
        if (!opened) {
            LoggerFactory.getLogger(Logging.class).warn("the log file {} does not open", path);
        }
    }

    /**
     * Where to log, by a name that does not lead to a standard stream: there the daemon would find
     * what it logs again, and the shim is silent.
     */
    private static Path pathOf(Settings settings) {
        Path file = settings.logFile();
        return file.toString().matches("/proc/self/fd/.*|/dev/(fd/.*|stdout|stderr)") ? NULL : file;
    }

    private static void logPrinted(InputStream printed) {
        org.slf4j.Logger log = LoggerFactory.getLogger("JVM");
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(printed, StandardCharsets.UTF_8))) {
            lines.lines().forEach(log::info);
        } catch (IOException e) {
            log.warn("what is printed is not logged any more", e);
        }
    }

    /** A process beside the daemon logs to the daemon's file, and prints nothing. */
    static void toFile(Settings settings) {
        LogWriter writer = fileWriter(pathOf(settings), Long.MAX_VALUE);
        CompletableFuture<Void> _ = writer.start(FILE_THREAD);
        writers = List.of(writer);
        attach(new Queues(writers), settings.logLevel());
    }

    private static LogWriter fileWriter(Path path, long maxBytes) {
        LogFile file = new LogFile(path, maxBytes);
        reopen = file::reopen;
        return new LogWriter("the log file " + path, file, Logging::dropped);
    }

    /** What is printed from now on is not logged. */
    private static void takeLast(StandardStreams streams, Thread reader) {
        try {
            streams.giveBack();
            reader.join(FLUSH_PATIENCE);
        } catch (IOException e) {
            LoggerFactory.getLogger(Logging.class)
                    .warn("the standard streams cannot be given back", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** For the end of the process: waits a moment until what was logged is written. */
    static void flush() {
        takeLastPrinted.run();
        writers.forEach(it -> it.flush(FLUSH_PATIENCE));
    }

    /** Has the log file opened again by its name, with the next line. */
    static void reopen() {
        reopen.run();
    }

    /** Logs what is of this level, or above it. */
    static void setLevel(String level) {
        root().setLevel(Level.valueOf(level));
    }

    private static boolean awaitOpened(CompletableFuture<Void> opened, Path file) {
        try {
            opened.get(OPEN_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (ExecutionException e) {
            throw cannotBeWritten(file, Objects.requireNonNullElse(e.getCause(), e));
        } catch (TimeoutException e) {
            return false; // a FIFO that nobody reads, or a disk that does not answer
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** In the background both are the same file, which shall have each line once. */
    private static boolean isAnother(Path stream, Path file) {
        try {
            return !Files.exists(file) || !Files.isSameFile(stream, file);
        } catch (IOException e) {
            return false; // it is closed
        }
    }

    private static byte[] dropped(long lines) {
        return Queues.line(
                new LoggingEvent(
                        Logging.class.getName(),
                        context().getLogger(Logging.class),
                        Level.WARN,
                        "{} log lines were dropped here: more than could be written was waiting",
                        null,
                        new Object[] {lines}));
    }

    /** Formats each event in the thread that logs it, and leaves the writing to others. */
    private static final class Queues extends UnsynchronizedAppenderBase<ILoggingEvent> {

        private static final PatternLayout LAYOUT = new PatternLayout();

        static {
            LAYOUT.setContext(Logging.context());
            LAYOUT.setPattern(FILE_PATTERN);
            LAYOUT.start();
        }

        private final List<LogWriter> receivers;

        Queues(List<LogWriter> receivers) {
            this.receivers = receivers;
            setContext(Logging.context());
        }

        @Override
        protected void append(ILoggingEvent event) {
            byte[] line = line(event);
            receivers.forEach(it -> it.offer(line));
        }

        private static byte[] line(ILoggingEvent event) {
            String text = LAYOUT.doLayout(event);
            int over = text.length() - MAX_LINE_CHARACTERS;
            String cut =
                    over <= 0
                            ? text
                            : "%s... (%d characters are left out)\n"
                                    .formatted(text.substring(0, MAX_LINE_CHARACTERS), over);
            return cut.getBytes(StandardCharsets.UTF_8);
        }
    }

    private static void attach(Appender<ILoggingEvent> appender, String level) {
        context().reset();
        appender.start();
        setLevel(level);
        root().addAppender(appender);
    }

    /**
     * The file, which is made where it is not.
     *
     * @throws SetupException if it cannot be opened
     */
    static Path openable(Path file) {
        try {
            LogFile.append(file).close();
            return file;
        } catch (IOException e) {
            throw cannotBeWritten(file, e);
        }
    }

    private static SetupException cannotBeWritten(Path file, Throwable cause) {
        return new SetupException("the log file " + file + " cannot be written: " + cause, cause);
    }

    private static LoggerContext context() {
        return (LoggerContext) LoggerFactory.getILoggerFactory();
    }

    private static Logger root() {
        return context().getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    }
}
