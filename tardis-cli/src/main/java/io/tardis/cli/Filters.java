package io.tardis.cli;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Which lives a user wants to see. A life has to pass all that are given. */
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class Filters {

    /**
     * A pod, or those of one name.
     *
     * @param namespace of Kubernetes; empty for any
     * @param name the pod's name
     */
    private record Pod(Optional<String> namespace, String name) {

        boolean isOf(Life life) {
            return life.about()
                    .pod()
                    .filter(it -> it.name().equals(name))
                    .filter(it -> namespace.map(it.namespace()::equals).orElse(true))
                    .isPresent();
        }
    }

    /** Reads {@code [NS/]NAME}. */
    private static final class PodReader implements ITypeConverter<Pod> {

        private static final Pattern SHAPE = Pattern.compile("(?:([^/]+)/)?([^/]+)");

        @Override
        public Pod convert(String text) {
            Matcher matcher = SHAPE.matcher(text);
            if (!matcher.matches()) {
                throw new TypeConversionException("'" + text + "' is not a pod");
            }
            return new Pod(Optional.ofNullable(matcher.group(1)), matcher.group(2));
        }
    }

    @Option(
            names = "-n",
            paramLabel = "NS",
            description = "Only the containers of this containerd namespace.")
    private Optional<String> namespace;

    @Option(names = "--failed", description = "Only those that ended with other than 0, or lost.")
    private boolean failed;

    @Option(names = "--oom", description = "Only those that the kernel killed for memory.")
    private boolean oom;

    @Option(
            names = "--pod",
            paramLabel = "[NS/]NAME",
            converter = PodReader.class,
            description = "Only the containers of this pod; NS is Kubernetes' namespace.")
    private Optional<Pod> pod;

    @Option(
            names = "--image",
            paramLabel = "TEXT",
            description = "Only the containers whose image contains this text.")
    private Optional<String> image;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /**
     * The containerd namespace; empty for all.
     *
     * @throws ParameterException if what was given is none
     */
    Optional<String> namespace() {
        namespace.ifPresent(it -> Subcommand.checkNamespace(it, command));
        return namespace;
    }

    /** Whether the user wants to see {@code life}. */
    boolean accept(Life life) {
        return namespace.map(life.container().namespace()::equals).orElse(true)
                && (!failed || life.isFailed())
                && (!oom || life.isOomKilled())
                && pod.map(it -> it.isOf(life)).orElse(true)
                && image.map(it -> life.about().image().filter(has -> has.contains(it)).isPresent())
                        .orElse(true);
    }
}
