package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.registry.Life;
import io.tardis.core.wire.Answer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;

/** Gives one answer to every question, and remembers the questions. */
final class FakeExitCodes implements ExitCodes {

    /**
     * The pid that tests give a container's first process where it is gone. No process can have it:
     * it is the kernel's largest {@code pid_max}, and a pid is less than that.
     */
    static final long PID = 4_194_304;

    private static final Instant LATER = Instant.parse("2026-11-23T06:51:24Z");

    /** What was asked of the life that has this id. */
    record Question(String life, Duration maxWait) {}

    private final List<Question> questions = new CopyOnWriteArrayList<>();
    private volatile Function<Life, Answer.OfContainer> answer =
            life -> new Answer.Unknown(life.container());

    void answer(Function<ContainerKey, Answer.OfContainer> newAnswer) {
        answerOf(life -> newAnswer.apply(life.container()));
    }

    void answerOf(Function<Life, Answer.OfContainer> newAnswer) {
        answer = newAnswer;
    }

    void answerExited(long status) {
        answer(container -> exited(container, status, Optional.empty()));
    }

    /** From now on answers that a life of this id ended, whichever was asked for. */
    void answerExited(long status, String life) {
        answer(container ->
                exited(
                        container,
                        status,
                        Optional.of(new LifeRef(life, LATER.minusSeconds(1), true))));
    }

    static Answer.OfContainer running(ContainerKey container) {
        return new Answer.Running(container, Optional.empty());
    }

    static Answer.OfContainer lost(ContainerKey container) {
        return new Answer.Lost(container, Optional.empty());
    }

    static Answer.OfContainer exited(ContainerKey container, long status, Optional<LifeRef> life) {
        return new Answer.Exited(
                new ExitEvent(
                        1,
                        new TaskExit(container, container.id(), PID, status, LATER),
                        OptionalInt.empty(),
                        false,
                        ExitSource.KERNEL,
                        life),
                true);
    }

    List<Question> questions() {
        return questions;
    }

    @Override
    public Answer.OfContainer exitCode(Life life, Duration maxWait) {
        questions.add(new Question(life.id(), maxWait));
        return answer.apply(life);
    }
}
