package io.tardis.cli;

import io.tardis.core.TardisException;
import io.tardis.core.UnavailableException;
import io.tardis.core.Worker;
import io.tardis.core.client.QueryClient;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.AnswerCodec;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import io.tardis.core.zmq.ZmqDealer;
import io.tardis.store.DirectAnswers;
import java.time.Duration;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Asks the store for the commands that the daemon runs. What needs no wait is answered in the
 * thread that asks. A wait goes over ZeroMQ: one thread has the socket, because that would pin a
 * virtual thread to its carrier. Those that ask may be interrupted: then the question is forgotten,
 * and its answer dropped.
 */
final class InsideQueries implements QueryClient.Asker {

    /** Also of clients that have gone: the store ends a wait after 10 s at the latest. */
    static final int MAX_OPEN = 4_000;

    private static final Duration LOOK = Duration.ofMillis(500);

    /** A store that has not answered by then will not do so any more. */
    private static final Duration LONGEST = Duration.ofMinutes(1);

    @SuppressWarnings("ArrayRecordComponent") // sent once, never compared
    private record Asked(long number, byte[] question) {}

    private record Open(CompletableFuture<byte[]> answer, long since) {}

    private final DirectAnswers store;
    private final ZmqDealer dealer;
    private final String endpoint;
    private final Runnable onLook;
    private final Queue<Asked> asked = new ConcurrentLinkedQueue<>();
    private final Map<Long, Open> open = new ConcurrentHashMap<>();
    private final AtomicLong numbers = new AtomicLong();
    private final Worker worker;

    /**
     * Does not run yet.
     *
     * @param store answers what needs no wait
     * @param dealer leads to the store; belongs to the thread from now on
     * @param endpoint how users know the store
     * @param onLook called by the thread each half second
     */
    InsideQueries(DirectAnswers store, ZmqDealer dealer, String endpoint, Runnable onLook) {
        this.store = store;
        this.dealer = dealer;
        this.endpoint = endpoint;
        this.onLook = onLook;
        this.worker = new Worker("tardis-commands", this::run, dealer::wake);
    }

    void start() {
        worker.start();
    }

    @Override
    public Answer ask(Query query, Duration answerTime) {
        return answerTime.isPositive()
                ? AnswerCodec.decode(ask(QueryCodec.encode(query), answerTime))
                : store.answer(query);
    }

    private byte[] ask(byte[] question, Duration answerTime) {
        if (open.size() >= MAX_OPEN) {
            throw new TardisException(
                    "the daemon is busy: " + MAX_OPEN + " questions of commands are open");
        }
        Asked next = new Asked(numbers.incrementAndGet(), question);
        CompletableFuture<byte[]> answer = new CompletableFuture<>();
        open.put(next.number(), new Open(answer, System.nanoTime()));
        asked.add(next);
        dealer.wake();
        long millis = answerTime.plus(QueryClient.PATIENCE).toMillis();
        try {
            return answer.get(millis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new UnavailableException(
                    "no answer from " + endpoint + " within " + millis + " ms", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnavailableException("the client has gone", e);
        } catch (ExecutionException e) {
            throw new UnavailableException("the daemon is stopping", e);
        }
    }

    private void run() {
        long nextLook = System.nanoTime();
        try (dealer) {
            while (!worker.isStopping()) {
                for (Asked it = asked.poll(); it != null; it = asked.poll()) {
                    dealer.send(it.number(), it.question());
                }
                long left = nextLook - System.nanoTime();
                if (left <= 0) {
                    nextLook = System.nanoTime() + LOOK.toNanos();
                    forgetOld();
                    store.look();
                    onLook.run();
                    continue;
                }
                ZmqDealer.Reply reply = dealer.receive(Duration.ofMillis(left / 1_000_000 + 1));
                Open of = reply == null ? null : open.remove(reply.number());
                if (reply != null && of != null) {
                    of.answer().complete(reply.payload());
                }
            }
        }
        open.values().forEach(it -> it.answer().completeExceptionally(new TardisException("")));
    }

    private void forgetOld() {
        long now = System.nanoTime();
        open.values().removeIf(it -> now - it.since() > LONGEST.toNanos());
    }

    /** Ends the thread; whoever still waits gets no answer. */
    @Override
    public void close() {
        worker.close();
    }
}
