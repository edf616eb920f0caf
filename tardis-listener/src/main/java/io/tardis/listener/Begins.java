package io.tardis.listener;

import io.tardis.core.event.About;
import java.util.OptionalLong;

/**
 * Publishes the begins of lives, with who they are. Images are known by the container's name alone,
 * and another container may have had that before. So a life takes one once its {@code
 * /tasks/create} has come: the events before that have named the image of its own container. A life
 * that the shim has begun before is published again then. For the thread of {@link Lives}.
 */
final class Begins {

    private final LifeSink sink;
    private final Node node;

    Begins(LifeSink sink, Node node) {
        this.sink = sink;
        this.node = node;
    }

    /** Publishes a life's begin, unless that was done. */
    void begin(TrackedLife life) {
        if (!life.begun) {
            life.begin(life.kept ? node.about(life.life, life.image) : About.NOTHING);
            sink.begun(life, OptionalLong.empty());
        }
    }

    /** containerd has reported the create of a life's process. */
    void created(TrackedLife life) {
        life.image = node.image(life.life.container());
        boolean isMissing = life.details.about().image().isEmpty() && !life.image.isBlank();
        if (life.begun && life.kept && life.isUnpublished() && isMissing) {
            About about = node.about(life.life, life.image);
            if (about.image().isPresent()) {
                life.details = life.details.withAbout(about);
                sink.begun(life, OptionalLong.empty());
            }
        }
    }
}
