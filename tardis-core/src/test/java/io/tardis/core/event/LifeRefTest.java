package io.tardis.core.event;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Instant;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LifeRefTest {

    @ParameterizedTest
    @ValueSource(strings = {"", "..", "a/b", "a\nb"})
    void refusesIdThatIsNoIdentifier(String id) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new LifeRef(id, Instant.EPOCH, true))
                .withMessageContaining("'" + id + "'");
    }
}
