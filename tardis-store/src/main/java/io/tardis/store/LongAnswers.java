package io.tardis.store;

import io.tardis.core.Worker;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.Refused;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.zmq.ZmqReplier;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Makes answers that take long in a thread of their own, one after the other: nobody else's
 * question is to wait for them. One that is made waits until it is taken before the next one is
 * begun, so that they fill no memory.
 */
final class LongAnswers {

    private static final Duration STOP_PATIENCE = Duration.ofSeconds(1);

    /** An answer that is made. */
    @SuppressWarnings("ArrayRecordComponent") // sent once, never compared
    record Made(ZmqReplier.Request request, byte[] answer) {}

    private record Asked(ZmqReplier.Request request, Function<ExitLog.Reader, Answer> maker) {}

    private final ExitLog.Reader log;
    private final Queue<Asked> asked;

    /** At most one. */
    private final Queue<Made> made = new ConcurrentLinkedQueue<>();

    private final Runnable onMade;
    private final Worker worker;

    /**
     * From now on the log belongs to this one's thread.
     *
     * @param name of the thread
     * @param maxWaiting how many may wait until they are made
     * @param log what answers are made of
     * @param onMade called when {@link #poll} has something, from that thread
     */
    LongAnswers(String name, int maxWaiting, ExitLog.Reader log, Runnable onMade) {
        this.log = log;
        this.asked = new LinkedBlockingQueue<>(maxWaiting);
        this.onMade = onMade;
        this.worker = new Worker(name, this::run);
    }

    void start() {
        worker.start();
    }

    /** Takes the question, if there are not too many; {@code maker} makes its answer. */
    boolean ask(ZmqReplier.Request request, Function<ExitLog.Reader, Answer> maker) {
        boolean taken = asked.offer(new Asked(request, maker));
        worker.wake();
        return taken;
    }

    /** Makes nothing more for a connection, which has ended; returns whether it had asked. */
    boolean forget(long connection) {
        return asked.removeIf(it -> it.request().connection() == connection);
    }

    /** The next answer that is made; null if there is none. */
    @Nullable Made poll() {
        Made next = made.poll();
        if (next != null) {
            worker.wake(); // for the one after it
        }
        return next;
    }

    /**
     * Ends after the answer that is being made, and refuses those that were asked for after it.
     *
     * @param last given all that {@link #poll} would still have given
     */
    void close(Consumer<Made> last) {
        worker.close(STOP_PATIENCE);
        made.forEach(last);
        byte[] refusal =
                AnswerCodec.encode(new Refused(Refused.UNAVAILABLE, "the daemon is stopping"));
        asked.forEach(it -> last.accept(new Made(it.request(), refusal)));
    }

    private void run() throws InterruptedException {
        try (log) {
            while (!worker.isStopping()) {
                Asked next = made.isEmpty() ? asked.poll() : null;
                if (next == null) {
                    worker.await();
                } else {
                    // Asked for again: what came before it may be unread still.
                    Answer answer =
                            Gate.refusalOfLongAnswer(next.request())
                                    .orElseGet(() -> next.maker().apply(log));
                    made.add(new Made(next.request(), AnswerCodec.encode(answer)));
                    onMade.run();
                }
            }
        }
    }
}
