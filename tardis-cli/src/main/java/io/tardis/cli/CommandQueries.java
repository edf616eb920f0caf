package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.wire.Query;
import io.tardis.core.wire.QueryCodec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;

/** The questions of one command that the daemon runs. */
final class CommandQueries implements QueryClient.Asker {

    private final QueryClient.Asker store;
    private final FrameWriter writer;
    private final AnswerBudget.Share share;

    /** Of the last page of a log, which its command drops before it asks for the next one. */
    private int lastPage;

    CommandQueries(QueryClient.Asker store, FrameWriter writer, AnswerBudget.Share share) {
        this.store = store;
        this.writer = writer;
        this.share = share;
    }

    @Override
    public byte[] ask(byte[] question, Duration answerTime) {
        try {
            writer.flush(); // what the command has printed is seen while it waits
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return switch (QueryCodec.decode(question)) {
            case Query.ExitCode _, Query.Ping _ -> store.ask(question, answerTime);
            case Query.ListContainers _ -> askLong(question, answerTime);
            case Query.Replay _ -> {
                share.give(lastPage);
                lastPage = 0;
                byte[] page = askLong(question, answerTime);
                lastPage = page.length;
                yield page;
            }
        };
    }

    private byte[] askLong(byte[] question, Duration answerTime) {
        share.beginAsking();
        try {
            byte[] answer = store.ask(question, answerTime);
            share.take(answer.length);
            return answer;
        } finally {
            share.endAsking();
        }
    }
}
