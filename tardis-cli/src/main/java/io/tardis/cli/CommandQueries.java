package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Query;
import io.tardis.store.DirectAnswers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;

/** The questions of one command that the daemon runs. */
final class CommandQueries implements QueryClient.Asker {

    private final QueryClient.Asker store;
    private final FrameWriter writer;
    private final AnswerBudget.Share share;

    /** Of the last page of a log, which its command drops before it asks for the next one. */
    private long lastPage;

    CommandQueries(QueryClient.Asker store, FrameWriter writer, AnswerBudget.Share share) {
        this.store = store;
        this.writer = writer;
        this.share = share;
    }

    @Override
    public Answer ask(Query query, Duration answerTime) {
        try {
            writer.flush(); // what the command has printed is seen while it waits
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return switch (query) {
            case Query.ExitCode _, Query.Ping _, Query.AskFigures _ -> store.ask(query, answerTime);
            case Query.ListContainers _ -> askLong(query, answerTime);
            case Query.Replay _ -> {
                if (lastPage > 0) {
                    share.give(lastPage);
                    lastPage = 0;
                }
                Answer page = askLong(query, answerTime);
                lastPage = DirectAnswers.bytesOf(page);
                yield page;
            }
        };
    }

    private Answer askLong(Query query, Duration answerTime) {
        share.beginAsking();
        try {
            Answer answer = store.ask(query, answerTime);
            share.take(DirectAnswers.bytesOf(answer));
            return answer;
        } finally {
            share.endAsking();
        }
    }
}
