package io.tardis.core.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TaskExitTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");

    @ParameterizedTest
    @CsvSource({"tc, true", "TC, false", "tc2, false", "default, false"})
    void isContainerExitOnlyUnderContainersId(String id, boolean expected) {
        assertThat(exit(id, 1, 0).isContainerExit()).isEqualTo(expected);
    }

    @Test
    void isOfAnExecAlsoUnderContainersIdWhereThatIsSaid() {
        TaskExit exec = exit("tc", 1, 0).asExec();

        assertThat(exec.isContainerExit()).isFalse();
        assertThat(exec).isEqualTo(new TaskExit(TC, "tc", 1, 0, Instant.EPOCH, false));
        assertThat(exec).isNotEqualTo(exit("tc", 1, 0));
    }

    @Test
    void refusesContainerExitUnderAnotherId() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new TaskExit(TC, "e1", 1, 0, Instant.EPOCH, true))
                .withMessageContaining("'e1'");
    }

    @Test
    void acceptsWholeRangeOfContainerd() {
        assertThat(exit("tc", 0, 0).exitStatus()).isZero();
        assertThat(exit("tc", 4294967295L, 4294967295L).pid()).isEqualTo(TaskExit.MAX_UINT32);
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 4294967296L, Long.MIN_VALUE, Long.MAX_VALUE})
    void refusesNumbersOutOfRange(long number) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> exit("tc", number, 0))
                .withMessage("pid out of range: " + number);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> exit("tc", 0, number))
                .withMessage("exit status out of range: " + number);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "..", "a/b", "a\nb"})
    void refusesIdThatIsNoIdentifier(String id) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> exit(id, 0, 0))
                .withMessageContaining("'" + id + "'");
    }

    private static TaskExit exit(String id, long pid, long exitStatus) {
        return new TaskExit(TC, id, pid, exitStatus, Instant.EPOCH);
    }
}
