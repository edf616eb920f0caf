package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import io.tardis.runc.RuncCommandLine.Create;
import io.tardis.runc.RuncCommandLine.Delete;
import io.tardis.runc.RuncCommandLine.PassThrough;
import io.tardis.runc.RuncCommandLine.Start;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/** Reads {@link RuncCommandLine}s. The options are those of runc 1.1 and 1.2. */
final class RuncCommandLineParser {

    private static final String DEFAULT_ROOT = "/run/runc";

    private static final Set<String> GLOBAL_VALUED =
            Set.of("root", "log", "log-format", "rootless", "criu");

    private static final Set<String> GLOBAL_FLAGS = Set.of("debug", "systemd-cgroup");

    /** With one of these the runtime prints something, and does nothing else. */
    private static final Set<String> HELP = Set.of("help", "h", "version", "v");

    private static final Set<String> CREATE_VALUED =
            Set.of("bundle", "b", "console-socket", "pid-file", "preserve-fds");

    private static final Set<String> RESTORE_VALUED =
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

    private RuncCommandLineParser() {}

    static RuncCommandLine parse(List<String> arguments, Path directory) {
        CommandLineWords global = CommandLineWords.untilFirstPositional(arguments, GLOBAL_VALUED);
        if (global.positional().isEmpty() || isHelp(global)) {
            return new PassThrough("there is no subcommand, or it asks for help");
        }
        if (!global.names().stream().allMatch(RuncCommandLineParser::isKnownGlobally)) {
            // It may take a value: then what looks like the subcommand is none.
            return new PassThrough("a global option is not known");
        }
        String subcommand = global.positional().getFirst();
        return switch (subcommand) {
            case "create" -> parse(subcommand, CREATE_VALUED, arguments, global, directory);
            case "restore" -> parse(subcommand, RESTORE_VALUED, arguments, global, directory);
            case "start", "delete" -> parse(subcommand, Set.of(), arguments, global, directory);
            default -> new PassThrough("'" + subcommand + "' does not concern Tardis");
        };
    }

    private static RuncCommandLine parse(
            String subcommand,
            Set<String> valued,
            List<String> arguments,
            CommandLineWords global,
            Path directory) {
        CommandLineWords words = CommandLineWords.toTheEnd(arguments, global.next(), valued);
        if (words.positional().isEmpty() || isHelp(words)) {
            return new PassThrough("there is no container, or it asks for help");
        }
        // The last one: another runtime may have an option that is not known here, and takes a
        // value.
        String id = words.positional().getLast();
        try {
            Path root = Path.of(global.value("root").orElse(DEFAULT_ROOT));
            Path last = root.getFileName();
            String namespace = last == null ? "" : last.toString();
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
                                        words.value("bundle")
                                                .or(() -> words.value("b"))
                                                .orElse("")));
            };
        } catch (InvalidPathException e) {
            return new PassThrough("a path cannot be used: " + e.getMessage());
        }
    }

    private static boolean isHelp(CommandLineWords words) {
        return !Collections.disjoint(words.names(), HELP);
    }

    private static boolean isKnownGlobally(String option) {
        return GLOBAL_VALUED.contains(option)
                || GLOBAL_FLAGS.contains(option)
                || HELP.contains(option);
    }
}
