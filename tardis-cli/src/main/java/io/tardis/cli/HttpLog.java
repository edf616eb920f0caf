package io.tardis.cli;

import io.tardis.core.FailureLog;
import java.io.IOException;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/**
 * What the JDK's HTTP server and Prometheus' library log by {@code java.util.logging}. That would
 * print all of it on standard error, with a stack trace for each client that closes its connection
 * too soon. Here it is logged as Tardis' own messages are, a failure that repeats once a minute. Of
 * clients that went away nothing is logged: every user of the node can cause that.
 */
final class HttpLog extends Handler {

    private static final org.slf4j.Logger LOG = LoggerFactory.getLogger(HttpLog.class);

    /** Held here: a logger that nobody holds may be forgotten, with what it was set to. */
    private static final List<Logger> SOURCES =
            Stream.of("com.sun.net.httpserver", "io.prometheus").map(Logger::getLogger).toList();

    private final FailureLog failures = new FailureLog(HttpLog.class);
    private final SimpleFormatter formatter = new SimpleFormatter();

    private HttpLog() {}

    /** Takes all that they log from now on. May be called twice. */
    static HttpLog install() {
        HttpLog log = new HttpLog();
        for (Logger source : SOURCES) {
            source.setUseParentHandlers(false);
            Stream.of(source.getHandlers()).forEach(source::removeHandler);
            source.addHandler(log);
        }
        return log;
    }

    /** A scrape failed; the client has got a status of 500, if it was still there. */
    void failed(Exception cause) {
        log("a scrape of the metrics failed", Level.WARNING, cause);
    }

    /** From any of the server's threads. */
    @Override
    public void publish(LogRecord logged) {
        log(formatter.formatMessage(logged), logged.getLevel(), logged.getThrown());
    }

    private synchronized void log(String what, Level level, @Nullable Throwable cause) {
        if (level.intValue() < Level.WARNING.intValue() || cause instanceof IOException) {
            LOG.debug("{}", what, cause);
        } else {
            failures.warn("the metrics were not served", cause == null ? what : cause);
        }
    }

    @Override
    public void flush() {
        // SLF4J does that.
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}
