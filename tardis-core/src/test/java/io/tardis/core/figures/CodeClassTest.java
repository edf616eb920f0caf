package io.tardis.core.figures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class CodeClassTest {

    @ParameterizedTest
    @CsvSource({
        "0, ZERO",
        "1, ERROR",
        "125, ERROR",
        "126, NOT_RUN",
        "127, NOT_RUN",
        "128, OTHER",
        "129, SIGNAL",
        "137, SIGNAL",
        "192, SIGNAL",
        "193, OTHER",
        "255, OTHER"
    })
    void isThatOfTheStatusWhereTheSourceKnowsNoSignals(int status, CodeClass expected) {
        ExitEvent event = MeterTest.exit(1, "a", status, false, ExitSource.CONTAINERD);

        assertThat(CodeClass.of(event)).isEqualTo(expected);
    }

    @Test
    void distinguishesASignalFromACodeWhereTheKernelDoes() {
        ExitEvent code = MeterTest.exit(1, "a", 137, false, ExitSource.KERNEL);
        ExitEvent signal =
                new ExitEvent(
                        1, code.exit(), OptionalInt.of(9), false, ExitSource.KERNEL, code.life());

        assertThat(CodeClass.of(code)).isEqualTo(CodeClass.OTHER);
        assertThat(CodeClass.of(signal)).isEqualTo(CodeClass.SIGNAL);
    }

    @ParameterizedTest
    @EnumSource
    void isReadFromItsWord(CodeClass code) {
        assertThat(CodeClass.parse(code.word())).isEqualTo(code);
    }

    @Test
    void isNoOtherWord() {
        assertThatIllegalArgumentException().isThrownBy(() -> CodeClass.parse("137"));
    }
}
