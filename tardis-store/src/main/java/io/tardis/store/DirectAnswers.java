package io.tardis.store;

import io.tardis.core.SetupException;
import io.tardis.core.UnavailableException;
import io.tardis.core.figures.Figures;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.wire.Health;
import io.tardis.core.wire.Query;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers questions of this process in the thread that asks, without a message: the same answers as
 * {@link QueryServer}'s, but none that waits. From any thread, which may be virtual. An interrupt
 * ends the wait for other questions.
 *
 * <p>It has two connections to the log, so that a long list delays no short answer. They are there
 * from the start: when a command needs them, the disk may be full, or no descriptor be left. They
 * give back their memory when nobody has asked for a while.
 */
public class DirectAnswers implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(DirectAnswers.class);
    private static final Duration IDLE = Duration.ofSeconds(30);

    private final LifeCache lives;
    private final Unwritten unwritten;
    private final AnswerMaker maker;
    private final String version;
    private final Supplier<Optional<Health>> health;
    private final Supplier<Optional<Figures>> figures;
    private final Desk quick;
    private final Desk slow;

    /** Belongs to who has the slow desk. */
    private final RecentAnswers recent = new RecentAnswers();

    /** Belongs to who has the quick desk. */
    private long lastSeq;

    DirectAnswers(
            Supplier<? extends ExitLog.Reader> readers,
            LifeCache lives,
            Unwritten unwritten,
            String version,
            Supplier<Optional<Health>> health,
            Supplier<Optional<Figures>> figures) {
        this.lives = lives;
        this.unwritten = unwritten;
        this.maker = new AnswerMaker(lives, unwritten);
        this.version = version;
        this.health = health;
        this.figures = figures;
        this.quick = new Desk(readers.get());
        try {
            this.slow = new Desk(readers.get());
        } catch (RuntimeException e) {
            quick.close();
            throw e;
        }
    }

    /** The answer as of now: a question's own wait does not count. */
    public Answer answer(Query query) {
        try {
            return switch (query) {
                case Query.ExitCode it ->
                        quick.with(log -> lives.answer(log, it.container(), it.life()));
                case Query.Ping _ -> quick.with(this::pong);
                case Query.AskFigures _ ->
                        figures.get()
                                .<Answer>map(Answer.Counted::new)
                                .orElseGet(() ->
                                        new Refused(
                                                Refused.UNAVAILABLE, "no daemon runs that counts"));
                case Query.ListContainers it ->
                        slow.with(log -> recent(log, it, () -> maker.list(log, it)));
                case Query.Replay it ->
                        slow.with(log -> recent(log, it, () -> maker.replay(log, it)));
            };
        } catch (ExitLogException | SetupException e) { // the second one where it cannot be opened
            return new Refused(Refused.UNAVAILABLE, String.valueOf(e.getMessage()));
        }
    }

    /** About how many bytes it would be on the wire; rather too many. */
    public static long bytesOf(Answer answer) {
        return AnswerMaker.bytesOf(answer);
    }

    private Answer pong(ExitLog.Reader log) {
        Answer.Pong pong = maker.pong(log, lastSeq, version, health.get());
        lastSeq = pong.lastSeq();
        return pong;
    }

    private Answer recent(ExitLog.Reader log, Query query, Supplier<Answer> answer) {
        return unwritten.isFailing() || !lives.notRecorded().isEmpty()
                ? answer.get() // it is of memory, too, which changes unseen
                : recent.answer(query, log.state(), answer);
    }

    /** Gives back what nobody has needed for a while. From any thread, from time to time. */
    public void look() {
        quick.look(() -> {});
        slow.look(recent::forget);
    }

    @Override
    public void close() {
        quick.close();
        slow.close();
    }

    /** A connection to the log, for one thread at a time. */
    private static final class Desk {

        private final ReentrantLock lock = new ReentrantLock(true);
        private final ExitLog.Reader log; // guarded by the lock
        private boolean closed; // guarded by the lock

        /**
         * When it was used last, by the monotonic clock; 0 if it has given back its memory since.
         */
        private volatile long usedAt;

        private Desk(ExitLog.Reader log) {
            this.log = log;
        }

        private Answer with(Function<ExitLog.Reader, Answer> work) {
            try {
                lock.lockInterruptibly();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new UnavailableException("interrupted", e);
            }
            try {
                if (closed) {
                    throw new UnavailableException("the daemon is stopping");
                }
                usedAt = System.nanoTime() | 1;
                return work.apply(log);
            } finally {
                lock.unlock();
            }
        }

        private void look(Runnable onIdle) {
            if (usedAt != 0 && System.nanoTime() - usedAt > IDLE.toNanos() && lock.tryLock()) {
                try {
                    if (!closed) {
                        usedAt = 0;
                        log.forgetPages();
                        onIdle.run();
                    }
                } catch (ExitLogException e) {
                    LOG.debug("the memory of a connection to the log is not given back", e);
                } finally {
                    lock.unlock();
                }
            }
        }

        private void close() {
            lock.lock();
            try {
                if (!closed) {
                    closed = true;
                    log.close();
                }
            } finally {
                lock.unlock();
            }
        }
    }
}
