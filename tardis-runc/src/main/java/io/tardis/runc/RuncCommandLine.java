package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a command line of runc asks for, as far as it concerns Tardis.
 *
 * <p>It is read by position, never by looking for a word: a container may be called {@code create}.
 * Options are spelled as Go's flag package takes them, {@code --x v}, {@code --x=v}, {@code -x v}
 * and {@code -x=v}; after the subcommand they may stand on both sides of the id (urfave/cli 1.22,
 * which runc 1.1 uses, sorts them to the front). The same rules are in {@code tardis-runc.c}, and
 * the same test vectors check both.
 */
public sealed interface RuncCommandLine {

    /**
     * {@code create}, or {@code restore}, which stands in for create and start.
     *
     * @param container the container
     * @param bundle its bundle's directory
     */
    record Create(ContainerKey container, Path bundle) implements RuncCommandLine {}

    /**
     * {@code start}.
     *
     * @param container the container
     * @param state the runtime's directory for it, {@code ROOT/ID}
     */
    record Start(ContainerKey container, Path state) implements RuncCommandLine {}

    /**
     * {@code delete}.
     *
     * @param container the container
     * @param force whether it may still run
     */
    record Delete(ContainerKey container, boolean force) implements RuncCommandLine {}

    /**
     * Everything else: the runtime gets it untouched.
     *
     * @param reason why it does not concern Tardis
     */
    record PassThrough(String reason) implements RuncCommandLine {}

    /**
     * Reads a command line. Nothing is refused: what cannot be understood is for the runtime.
     *
     * @param arguments the arguments, without the program itself
     * @param directory the current directory, which a relative bundle starts from
     */
    static RuncCommandLine parse(List<String> arguments, Path directory) {
        Words global = Words.read(arguments, 0, Options.GLOBAL, false);
        if (global.unknown || global.positional.isEmpty() || global.isHelp()) {
            return new PassThrough("there is no subcommand, or an option that is not known");
        }
        String subcommand = global.positional.getFirst();
        Set<String> valued =
                switch (subcommand) {
                    case "create" -> Options.CREATE;
                    case "restore" -> Options.RESTORE;
                    case "start", "delete" -> Set.of();
                    default -> null;
                };
        if (valued == null) {
            return new PassThrough("'" + subcommand + "' does not concern Tardis");
        }
        Words words = Words.read(arguments, global.next, valued, true);
        if (words.isHelp() || words.positional.isEmpty()) {
            return new PassThrough("there is no container, or it asks for help");
        }
        try {
            Path root = Path.of(global.options.getOrDefault("root", "/run/runc"));
            Path last = root.getFileName();
            String namespace = last == null ? "" : last.toString();
            String id = words.positional.getLast();
            if (!ContainerKey.isIdentifier(namespace) || !ContainerKey.isIdentifier(id)) {
                return new PassThrough("the namespace or the id is none of containerd's");
            }
            ContainerKey container = new ContainerKey(namespace, id);
            return switch (subcommand) {
                case "start" -> new Start(container, directory.resolve(root).resolve(id));
                case "delete" -> new Delete(container, words.isSet("force") || words.isSet("f"));
                default ->
                        new Create(
                                container,
                                directory.resolve(
                                        words.options.getOrDefault(
                                                "bundle", words.options.getOrDefault("b", ""))));
            };
        } catch (InvalidPathException e) {
            return new PassThrough("a path cannot be used: " + e.getMessage());
        }
    }

    /** The options that take a value, by subcommand. */
    final class Options {
        private static final Set<String> GLOBAL =
                Set.of("root", "log", "log-format", "rootless", "criu");
        private static final Set<String> GLOBAL_FLAGS =
                Set.of("debug", "systemd-cgroup", "help", "h", "version", "v");
        private static final Set<String> CREATE =
                Set.of("bundle", "b", "console-socket", "pid-file", "preserve-fds");
        private static final Set<String> RESTORE =
                Set.of(
                        "bundle",
                        "b",
                        "console-socket",
                        "image-path",
                        "work-path",
                        "parent-path",
                        "manage-cgroups-mode",
                        "pid-file",
                        "empty-ns",
                        "lsm-profile",
                        "lsm-mount-context");

        private Options() {}
    }

    /** Options and positional arguments. */
    final class Words {
        private final Map<String, String> options = new HashMap<>();
        private final List<String> positional = new ArrayList<>();
        private boolean unknown;
        private int next;

        private Words() {}

        /**
         * Reads to the end, or, for global options, up to and with the first positional argument.
         */
        private static Words read(
                List<String> arguments, int from, Set<String> valued, boolean toTheEnd) {
            Words words = new Words();
            int i = from;
            boolean optionsEnded = false;
            while (i < arguments.size() && (toTheEnd || words.positional.isEmpty())) {
                String argument = arguments.get(i++);
                if (optionsEnded || argument.length() < 2 || argument.charAt(0) != '-') {
                    words.positional.add(argument);
                } else if (argument.equals("--")) {
                    optionsEnded = true;
                } else {
                    String option = argument.substring(argument.startsWith("--") ? 2 : 1);
                    int equals = option.indexOf('=');
                    String name = equals < 0 ? option : option.substring(0, equals);
                    if (!valued.contains(name)) {
                        words.unknown |= !Options.GLOBAL_FLAGS.contains(name);
                        words.options.put(name, equals < 0 ? "true" : option.substring(equals + 1));
                    } else if (equals >= 0) {
                        words.options.put(name, option.substring(equals + 1));
                    } else if (i < arguments.size()) {
                        words.options.put(name, arguments.get(i++));
                    } else {
                        words.unknown = true;
                    }
                }
            }
            words.next = i;
            return words;
        }

        private boolean isSet(String flag) {
            return Set.of("true", "1", "t", "T", "TRUE", "True")
                    .contains(options.getOrDefault(flag, "false"));
        }

        private boolean isHelp() {
            return options.containsKey("help")
                    || options.containsKey("h")
                    || options.containsKey("version")
                    || options.containsKey("v");
        }
    }
}
