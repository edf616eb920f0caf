package io.tardis.testkit;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/** What one class logs while this is open; it is kept from the console. */
public final class CapturedLog implements AutoCloseable {

    private final Logger logger;
    private final List<ILoggingEvent> events = new CopyOnWriteArrayList<>();
    private final AppenderBase<ILoggingEvent> appender =
            new AppenderBase<>() {
                @Override
                protected void append(ILoggingEvent event) {
                    events.add(event);
                }
            };

    /** From now on what this class logs is kept here. */
    public CapturedLog(Class<?> of) {
        logger = (Logger) LoggerFactory.getLogger(of);
        logger.setAdditive(false);
        logger.setLevel(ch.qos.logback.classic.Level.DEBUG);
        appender.start();
        logger.addAppender(appender);
    }

    /** The messages of exactly this level, oldest first. */
    public List<String> at(Level level) {
        return events.stream()
                .filter(event -> event.getLevel().toString().equals(level.toString()))
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }

    @Override
    public void close() {
        logger.detachAppender(appender);
        logger.setLevel(null); // that of the loggers above it
        logger.setAdditive(true);
    }
}
