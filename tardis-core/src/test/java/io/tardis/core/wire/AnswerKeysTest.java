package io.tardis.core.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.About;
import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.Usage;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class AnswerKeysTest {

    private static final ContainerKey TC = new ContainerKey("k8s.io", "tc");

    private final AnswerKeys keys =
            new AnswerKeys(
                    new Answer.Running(
                            TC,
                            Optional.of(
                                    new Published.Begun(
                                            0,
                                            TC,
                                            new LifeRef("life", Instant.EPOCH, true),
                                            OptionalLong.of(6615),
                                            OptionalLong.empty(),
                                            OptionalLong.empty(),
                                            new LifeDetails(
                                                    Optional.empty(),
                                                    new About(
                                                            Optional.empty(),
                                                            Optional.of("nginx:1.29"),
                                                            Optional.empty(),
                                                            Optional.empty(),
                                                            Optional.of(
                                                                    new About.Pod(
                                                                            "shop",
                                                                            "web-0",
                                                                            Optional.empty())),
                                                            Optional.empty(),
                                                            false),
                                                    Usage.NOTHING)))));

    @Test
    void hasTheValuesOfTheWire() {
        assertThat(keys.value("status")).contains("running");
        assertThat(keys.value("pid")).contains("6615");
        assertThat(keys.value("kept")).contains("true");
    }

    @Test
    void goesIntoObjects() {
        assertThat(keys.value("about.image")).contains("nginx:1.29");
        assertThat(keys.value("about.pod.name")).contains("web-0");
        assertThat(keys.value("about.pod")).contains("{\"namespace\":\"shop\",\"name\":\"web-0\"}");
    }

    @Test
    void hasNoOtherValues() {
        for (String path :
                new String[] {"exit_code", "about.name", "status.x", "about.", "", "."}) {
            assertThat(keys.value(path)).as(path).isEmpty();
        }
    }
}
