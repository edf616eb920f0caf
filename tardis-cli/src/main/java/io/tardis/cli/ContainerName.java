package io.tardis.cli;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.wire.QueryCodec;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** How a user names a container. {@link Names} finds it. */
sealed interface ContainerName {

    /** The container that has exactly this id, if this can be an id. */
    Optional<ContainerKey> exact();

    /** As the user wrote it. */
    String written();

    /** The same name in a namespace; empty if this one names a namespace already. */
    Optional<ContainerName> in(String namespace);

    /**
     * {@code [NS/]WORD}: an id, the beginning of one, or a name.
     *
     * @param namespace containerd's; empty if it was left out
     * @param word the id, its beginning, or the name
     */
    record Plain(Optional<String> namespace, String word) implements ContainerName {
        @Override
        public Optional<ContainerKey> exact() {
            return ContainerKey.isIdentifier(word)
                    ? Optional.of(new ContainerKey(idNamespace(), word))
                    : Optional.empty();
        }

        /** Where ids that people chose are looked for: they may be elsewhere, too. */
        String idNamespace() {
            return namespace.orElse(QueryCodec.DEFAULT_NAMESPACE);
        }

        @Override
        public String written() {
            return namespace.map(it -> it + "/").orElse("") + word;
        }

        @Override
        public Optional<ContainerName> in(String other) {
            return namespace.isPresent()
                    ? Optional.empty()
                    : Optional.of(new Plain(Optional.of(other), word));
        }

        @Override
        public String toString() {
            return idNamespace() + "/" + word;
        }
    }

    /**
     * {@code pod/NAME[/CONTAINER]}.
     *
     * @param namespace of Kubernetes; empty for any
     * @param pod the pod's name
     * @param container its container; empty if it has only one
     */
    record OfPod(Optional<String> namespace, String pod, Optional<String> container)
            implements ContainerName {
        /** Nothing forbids a containerd namespace {@code pod}. */
        @Override
        public Optional<ContainerKey> exact() {
            return namespace.isEmpty() && container.isEmpty() && ContainerKey.isIdentifier(pod)
                    ? Optional.of(new ContainerKey("pod", pod))
                    : Optional.empty();
        }

        @Override
        public String written() {
            return "pod/" + pod + container.map("/"::concat).orElse("");
        }

        @Override
        public Optional<ContainerName> in(String other) {
            return Optional.of(new OfPod(Optional.of(other), pod, container));
        }

        boolean isNameOf(Life life) {
            return !life.about().sandbox()
                    && life.about()
                            .pod()
                            .filter(it -> it.name().equals(pod))
                            .filter(it -> namespace.map(it.namespace()::equals).orElse(true))
                            .isPresent()
                    && (container.isEmpty() || container.equals(life.about().podContainer()));
        }

        @Override
        public String toString() {
            return written();
        }
    }

    /** Reads what a user wrote. */
    final class Reader implements ITypeConverter<ContainerName> {

        /** As Docker, Podman and nerdctl name containers, and Kubernetes its pods. */
        private static final String WORD = "([A-Za-z0-9][A-Za-z0-9_.-]{0,252})";

        private static final Pattern OF_POD = Pattern.compile("pod/" + WORD + "(?:/" + WORD + ")?");
        private static final Pattern PLAIN = Pattern.compile("(?:([^/]*)/)?" + WORD);

        @Override
        public ContainerName convert(String text) {
            Matcher ofPod = OF_POD.matcher(text);
            if (ofPod.matches()) {
                return new OfPod(
                        Optional.empty(), ofPod.group(1), Optional.ofNullable(ofPod.group(2)));
            }
            Matcher plain = PLAIN.matcher(text);
            if (plain.matches()) {
                Optional<String> namespace = Optional.ofNullable(plain.group(1));
                if (namespace.map(ContainerKey::isIdentifier).orElse(true)) {
                    return new Plain(namespace, plain.group(2));
                }
            }
            throw new TypeConversionException("not a container: '" + text + "'");
        }
    }
}
