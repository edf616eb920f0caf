package io.tardis.core.event;

import java.util.Optional;
import java.util.stream.Stream;

/**
 * Who a container was, as its configuration said when it was created. Nothing of it is trusted or
 * secret: others choose the names, and neither environment nor arguments are read.
 *
 * @param command the base name of the program that it ran
 * @param image the image, as whoever ran it named it
 * @param name the name that people know it by
 * @param hostname its own host name
 * @param pod the Kubernetes pod that it belonged to
 * @param podContainer its name in that pod
 * @param sandbox whether it was the pod's sandbox (pause), which runs nothing of the user's
 */
public record About(
        Optional<String> command,
        Optional<String> image,
        Optional<String> name,
        Optional<String> hostname,
        Optional<Pod> pod,
        Optional<String> podContainer,
        boolean sandbox) {

    /** Nothing is known. */
    public static final About NOTHING =
            new About(
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    false);

    /** How many characters it has altogether. */
    public int length() {
        return Stream.of(command, image, name, hostname, podContainer)
                        .flatMap(Optional::stream)
                        .mapToInt(String::length)
                        .sum()
                + pod.map(it ->
                                it.namespace().length()
                                        + it.name().length()
                                        + it.uid().map(String::length).orElse(0))
                        .orElse(0);
    }

    /**
     * A Kubernetes pod.
     *
     * @param namespace of Kubernetes, not containerd's
     * @param name the pod's name
     * @param uid which one of that name; older versions of the CRI do not say
     */
    public record Pod(String namespace, String name, Optional<String> uid) {}
}
