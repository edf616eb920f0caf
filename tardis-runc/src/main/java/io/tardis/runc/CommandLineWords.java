package io.tardis.runc;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The options and the positional arguments of one part of a command line, read as Go's flag package
 * reads them: {@code --x v}, {@code --x=v}, {@code -x v}, {@code -x=v}, and {@code --} ends the
 * options.
 */
final class CommandLineWords {

    private static final Set<String> TRUE = Set.of("1", "t", "T", "true", "TRUE", "True");

    private final Map<String, String> options = new HashMap<>();
    private final List<String> positional = new ArrayList<>();
    private final Set<String> valued;
    private int next;

    private CommandLineWords(Set<String> valued, int from) {
        this.valued = valued;
        this.next = from;
    }

    /**
     * Reads up to and with the first positional argument.
     *
     * @param valued the options that take a value
     */
    static CommandLineWords untilFirstPositional(List<String> arguments, Set<String> valued) {
        CommandLineWords words = new CommandLineWords(valued, 0);
        words.read(arguments, false);
        return words;
    }

    /**
     * Reads from {@code from} to the end; options may stand on both sides of what is positional.
     *
     * @param valued the options that take a value
     */
    static CommandLineWords toTheEnd(List<String> arguments, int from, Set<String> valued) {
        CommandLineWords words = new CommandLineWords(valued, from);
        words.read(arguments, true);
        return words;
    }

    /** The index of the first argument that was not read. */
    int next() {
        return next;
    }

    /** The names of the options that were there, without their hyphens. */
    Set<String> names() {
        return options.keySet();
    }

    List<String> positional() {
        return positional;
    }

    /** The last value of an option. */
    Optional<String> value(String name) {
        return Optional.ofNullable(options.get(name));
    }

    /** Whether a flag is there, and not as {@code --flag=false}. */
    boolean isSet(String flag) {
        return TRUE.contains(options.getOrDefault(flag, "false"));
    }

    private void read(List<String> arguments, boolean toTheEnd) {
        boolean optionsEnded = false;
        while (next < arguments.size() && (toTheEnd || positional.isEmpty())) {
            String argument = arguments.get(next++);
            if (optionsEnded || argument.length() < 2 || argument.charAt(0) != '-') {
                positional.add(argument);
            } else if (argument.equals("--")) {
                optionsEnded = true;
            } else {
                readOption(argument.substring(argument.startsWith("--") ? 2 : 1), arguments);
            }
        }
    }

    private void readOption(String option, List<String> arguments) {
        int equals = option.indexOf('=');
        if (equals >= 0) {
            options.put(option.substring(0, equals), option.substring(equals + 1));
        } else if (!valued.contains(option)) {
            options.put(option, "true");
        } else if (next < arguments.size()) {
            options.put(option, arguments.get(next++));
        }
        // else its value is missing, and the runtime says so
    }
}
