package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import org.junit.jupiter.api.Test;

class ImagesTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");

    private final Images images = new Images();

    @Test
    void knowsTheImageUntilTheContainerIsDeleted() {
        note(TC, "nginx:1");
        note(new ContainerKey("other", "tc"), "");

        assertThat(images.of(TC)).isEqualTo("nginx:1");
        assertThat(images.of(TC)).as("for its next task, too").isEqualTo("nginx:1");
        note(TC, "");
        assertThat(images.of(TC)).isEmpty();
    }

    @Test
    void takesTheImageOfTheLaterContainer() {
        note(TC, "nginx:1");
        note(TC, "nginx:2");

        assertThat(images.of(TC)).isEqualTo("nginx:2");
    }

    @Test
    void forgetsAllWhereADeleteMayHaveBeenMissed() {
        note(TC, "nginx:1");

        images.forgetAll();

        assertThat(images.of(TC)).isEmpty();
    }

    @Test
    void isBounded() {
        for (int i = 0; i <= KnownLives.REMEMBERED; i++) {
            note(new ContainerKey("default", "c" + i), "i");
        }

        assertThat(images.of(new ContainerKey("default", "c0"))).isEmpty();
        assertThat(images.of(new ContainerKey("default", "c1"))).isEqualTo("i");
    }

    private void note(ContainerKey container, String image) {
        images.note(new CtrEvent.Container(container, image));
    }
}
