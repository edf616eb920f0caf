package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.TaskExit;
import io.tardis.core.wire.Answer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;

/** Gives one answer to every question, and remembers the questions. */
final class FakeExitCodes implements ExitCodes {

    /** The pid that all tests give a container's first process. */
    static final long PID = 6615;

    private static final Instant LATER = Instant.parse("2026-11-23T06:51:24Z");

    record Question(ContainerKey container, Duration maxWait) {}

    private final List<Question> questions = new CopyOnWriteArrayList<>();
    private volatile Function<ContainerKey, Answer.OfContainer> answer = Answer.Unknown::new;

    void answer(Function<ContainerKey, Answer.OfContainer> newAnswer) {
        answer = newAnswer;
    }

    void answerExited(long status) {
        answerExited(status, PID);
    }

    void answerExited(long status, long pid) {
        answer(container ->
                new Answer.Exited(
                        new ExitEvent(
                                1,
                                new TaskExit(container, container.id(), pid, status, LATER),
                                OptionalInt.empty(),
                                false,
                                ExitSource.KERNEL),
                        true));
    }

    List<Question> questions() {
        return questions;
    }

    @Override
    public Answer.OfContainer exitCode(ContainerKey container, Duration maxWait) {
        questions.add(new Question(container, maxWait));
        return answer.apply(container);
    }
}
