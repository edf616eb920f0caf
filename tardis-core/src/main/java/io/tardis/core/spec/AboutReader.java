package io.tardis.core.spec;

import io.tardis.core.event.About;
import io.tardis.core.event.About.Pod;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads who a container is, from its bundle's {@code config.json}.
 *
 * <ul>
 *   <li>The command is the base name of {@code process.args[0]}, up to its first space: whoever
 *       gives a whole command line there by mistake may have a secret in it. No other argument and
 *       no environment is read.
 *   <li>Pod, container, image and name are in annotations: containerd's CRI, CRI-O and nerdctl
 *       write them. Podman writes no name there.
 *   <li>Docker writes no annotation. It mounts files of its own directory for the container, {@code
 *       DATA_ROOT/containers/ID/}, and {@code config.v2.json} there has name and image.
 * </ul>
 *
 * <p>The values are printable and short: at most 200 characters each, and 600 bytes of UTF-8
 * together. One that is cut ends with an ellipsis.
 */
public final class AboutReader {

    private static final Logger LOG = LoggerFactory.getLogger(AboutReader.class);

    private static final int PATH_MAX = 4096;
    private static final int MAX_DOCKER_FILE_SIZE = 1024 * 1024;
    private static final Set<String> DOCKER_MOUNTS =
            Set.of("/etc/hostname", "/etc/hosts", "/etc/resolv.conf");

    /**
     * So many characters of a text are read: with one that is dropped, and one that shows that it
     * is longer than it may be.
     */
    public static final int MAX_VALUE = BoundedTexts.MAX_LENGTH + 2;

    private enum Value {
        COMMAND,
        IMAGE,
        NAME,
        HOSTNAME,
        POD_NAMESPACE,
        POD_NAME,
        POD_UID,
        POD_CONTAINER,
        TYPE
    }

    /**
     * Which annotation says what; the first one counts that is there.
     *
     * <p>Those of containerd 1.6 to 2.1 ({@code pkg/cri/annotations}), CRI-O 1.37 ({@code
     * internal/annotations}; it copies the kubelet's labels, too) and nerdctl ({@code pkg/labels},
     * August 2026).
     */
    private static final List<Map.Entry<String, Value>> ANNOTATIONS =
            List.of(
                    Map.entry("io.kubernetes.cri.container-type", Value.TYPE),
                    Map.entry("io.kubernetes.cri.sandbox-namespace", Value.POD_NAMESPACE),
                    Map.entry("io.kubernetes.cri.sandbox-name", Value.POD_NAME),
                    Map.entry("io.kubernetes.cri.sandbox-uid", Value.POD_UID),
                    Map.entry("io.kubernetes.cri.container-name", Value.POD_CONTAINER),
                    Map.entry("io.kubernetes.cri.image-name", Value.IMAGE),
                    Map.entry("io.kubernetes.cri.podsandbox.image-name", Value.IMAGE),
                    Map.entry("io.kubernetes.cri-o.ContainerType", Value.TYPE),
                    Map.entry("io.kubernetes.pod.namespace", Value.POD_NAMESPACE),
                    Map.entry("io.kubernetes.pod.name", Value.POD_NAME),
                    Map.entry("io.kubernetes.pod.uid", Value.POD_UID),
                    Map.entry("io.kubernetes.container.name", Value.POD_CONTAINER),
                    Map.entry("io.kubernetes.cri-o.ImageName", Value.IMAGE),
                    // As the kubelet asked for it, which may be an id.
                    Map.entry("io.kubernetes.cri-o.Image", Value.IMAGE),
                    Map.entry("nerdctl/name", Value.NAME));

    private static final Set<String> ANNOTATION_NAMES =
            ANNOTATIONS.stream().map(Map.Entry::getKey).collect(Collectors.toUnmodifiableSet());

    private final Path bundle;
    private final String image;
    private final Map<Value, String> values = new EnumMap<>(Value.class);
    private final Map<String, String> annotations = new HashMap<>();
    private String destination = "";
    private String source = "";

    /** A file in Docker's directory for the container; "" if there is none. */
    private String dockerFile = "";

    private AboutReader(Path bundle, String image) {
        this.bundle = bundle;
        this.image = image;
    }

    /**
     * Returns what could be read; it neither waits nor fails. A link is not followed.
     *
     * @param bundle the bundle's directory, whose name is the container's id
     * @param image the image by containerd's word, for a bundle that names none; blank if not known
     */
    public static About read(Path bundle, String image) {
        AboutReader reader = new AboutReader(bundle, image);
        reader.read("config.json", GoJson.MAX_FILE_SIZE, reader::readSpec);
        if (!reader.dockerFile.isEmpty()) {
            reader.read(
                    reader.dockerFile.substring(0, reader.dockerFile.lastIndexOf('/'))
                            + "/config.v2.json",
                    MAX_DOCKER_FILE_SIZE,
                    reader::readDocker);
        }
        return reader.about();
    }

    private void read(String file, int maxSize, Consumer<GoJson> value) {
        try {
            GoJson.readAtOnce(bundle.resolve(file), maxSize, value);
        } catch (IOException | RuntimeException e) {
            // Not its message, which may have some of a stranger's file in it.
            LOG.debug("who {} is cannot be read in full: {}", bundle, e.getClass().getName());
        }
    }

    private void readSpec(GoJson json) {
        json.fields(
                Map.of(
                        "process", () -> readProcess(json),
                        "hostname", () -> take(Value.HOSTNAME, json),
                        "mounts", () -> readMounts(json),
                        "annotations", () -> readAnnotations(json)));
    }

    private void take(Value value, GoJson json) {
        if (!json.isNull()) { // Go leaves the earlier one then
            values.put(value, json.string(MAX_VALUE));
        }
    }

    private void readProcess(GoJson json) {
        if (json.isNull()) {
            values.remove(Value.COMMAND);
        }
        json.fields(
                "args",
                () -> {
                    values.remove(Value.COMMAND);
                    json.elements(() ->
                            values.computeIfAbsent(
                                    Value.COMMAND, _ -> programOf(json.string(PATH_MAX + 1))));
                });
    }

    private static String programOf(String argument) {
        if (argument.length() > PATH_MAX) {
            return ""; // no program has such a name
        }
        int end = 0;
        while (end < argument.length() && !Character.isWhitespace(argument.charAt(end))) {
            end++;
        }
        return argument.substring(argument.lastIndexOf('/', end - 1) + 1, end);
    }

    private void readMounts(GoJson json) {
        dockerFile = "";
        json.elements(() -> {
            destination = "";
            source = "";
            json.fields(
                    Map.of(
                            "destination",
                            () -> destination = json.string(PATH_MAX),
                            "source",
                            () -> source = json.string(PATH_MAX)));
            if (isDockers()) {
                dockerFile = source;
            }
        });
    }

    private boolean isDockers() {
        String id = Objects.toString(bundle.getFileName(), "");
        return DOCKER_MOUNTS.contains(destination)
                && source.startsWith("/")
                && source.endsWith("/containers/" + id + destination.substring("/etc".length()));
    }

    private void readAnnotations(GoJson json) {
        if (json.isNull()) {
            annotations.clear();
        }
        json.entries(name -> {
            if (ANNOTATION_NAMES.contains(name)) {
                annotations.put(name, json.string(MAX_VALUE));
            }
        });
    }

    private void readDocker(GoJson json) {
        json.fields(
                Map.of(
                        "Name", () -> values.put(Value.NAME, dockerName(json.string(MAX_VALUE))),
                        "Config", () -> json.fields("Image", () -> take(Value.IMAGE, json))));
    }

    /** Docker writes {@code /NAME}. */
    private static String dockerName(String name) {
        return name.startsWith("/") ? name.substring(1) : name;
    }

    private About about() {
        values.values().removeIf(String::isBlank);
        for (Map.Entry<String, Value> annotation : ANNOTATIONS) {
            String text = annotations.getOrDefault(annotation.getKey(), "");
            if (!text.isBlank()) {
                values.putIfAbsent(annotation.getValue(), text); // what Docker says counts more
            }
        }
        if (!image.isBlank()) {
            values.putIfAbsent(Value.IMAGE, image);
        }
        boolean sandbox = "sandbox".equals(values.remove(Value.TYPE));
        if (sandbox) {
            values.remove(Value.POD_CONTAINER); // CRI-O names all of them POD
        }
        BoundedTexts.bound(values);
        return new About(
                known(Value.COMMAND),
                known(Value.IMAGE),
                known(Value.NAME),
                known(Value.HOSTNAME),
                known(Value.POD_NAME).flatMap(this::pod),
                known(Value.POD_CONTAINER),
                sandbox);
    }

    private Optional<Pod> pod(String name) {
        return known(Value.POD_NAMESPACE)
                .map(namespace -> new Pod(namespace, name, known(Value.POD_UID)));
    }

    private Optional<String> known(Value value) {
        return Optional.ofNullable(values.get(value));
    }
}
