package io.tardis.core.config;

import io.tardis.core.SetupException;
import io.tardis.core.curve.CurveKeyFiles;
import io.tardis.core.curve.CurveKeyPair;
import io.tardis.core.curve.CurveKeys;
import io.tardis.core.curve.CurvePublicKey;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads the settings: {@code KEY=VALUE} lines of {@code /etc/tardis/tardis.env} (or of the file
 * that {@code TARDIS_CONFIG} names), over which an environment variable of the same name wins.
 * Blank lines and lines that begin with {@code #} are skipped, spaces around key and value are
 * dropped, and so is one pair of quotes around the value; an empty value counts as none.
 *
 * <p>{@link #strict} refuses every unknown key of the file, every unknown {@code TARDIS_} key of
 * the environment and every bad value, naming the file, the line and the key; {@link #lenient}
 * takes the default in their place, for the shim, which must never stop a container.
 */
public final class SettingsReader {

    /** Where the settings are, unless {@code TARDIS_CONFIG} says otherwise. */
    public static final Path DEFAULT_FILE = Path.of("/etc/tardis/tardis.env");

    /** Names the settings file; not a setting itself. */
    public static final String CONFIG_KEY = "TARDIS_CONFIG";

    /**
     * Known, but not read here: {@code TARDIS_ENABLE} belongs into a container's environment,
     * {@code TARDIS_JAVA_OPTS} to the {@code tardis} script.
     */
    private static final Set<String> OTHER_KEYS =
            Set.of(CONFIG_KEY, "TARDIS_ENABLE", "TARDIS_JAVA_OPTS");

    private static final Set<String> KEYS =
            Stream.of(Setting.values()).map(Setting::key).collect(Collectors.toUnmodifiableSet());

    private static final Pattern DURATION = Pattern.compile("([0-9]{1,9})(ms|s|m|h|d)");

    /** An address is IPv6 in brackets, anything else without a colon, or {@code *}. */
    private static final Pattern ENDPOINT =
            Pattern.compile("tcp://(\\[[0-9A-Fa-f:.]+]|[A-Za-z0-9._-]+|\\*):([1-9][0-9]{0,4})");

    private static final Pattern DIGITS_AND_DOTS = Pattern.compile("[0-9.]+");
    private static final Pattern IPV4 =
            Pattern.compile("((25[0-5]|2[0-4]\\d|1?\\d?\\d)(\\.(?!$)|$)){4}");

    private static final int MAX_PORT = 65_535;
    private static final Set<String> EVERYWHERE = Set.of("*", "0.0.0.0", "[::]");
    private static final Set<String> LEVELS = Set.of("ERROR", "WARN", "INFO", "DEBUG", "TRACE");
    private static final int MAX_DELETE_WAIT_MS = 4_000;

    private record Value(String text, String origin) {}

    private final Map<String, Value> values = new HashMap<>();
    private final List<String> problems = new ArrayList<>();

    private SettingsReader() {}

    /**
     * The settings, all of them right.
     *
     * @param environment the process's environment
     * @throws SetupException if a key is unknown or a value bad; names each of them
     */
    public static Settings strict(Map<String, String> environment) {
        SettingsReader reader = new SettingsReader();
        Settings settings = reader.read(environment);
        if (!reader.problems.isEmpty()) {
            throw new SetupException(String.join("\n", reader.problems));
        }
        return settings;
    }

    /**
     * The settings, with the default in place of everything that cannot be used.
     *
     * @param environment the process's environment
     */
    public static Settings lenient(Map<String, String> environment) {
        return new SettingsReader().read(environment);
    }

    private Settings read(Map<String, String> environment) {
        String configured = environment.getOrDefault(CONFIG_KEY, "");
        if (configured.isEmpty()) {
            readFile(DEFAULT_FILE, false);
        } else {
            readConfiguredFile(configured);
        }
        environment.forEach((key, value) -> {
            if (key.startsWith("TARDIS_")) {
                accept(key, value, "the environment");
            }
        });
        Path stateDir =
                value(
                        Setting.STATE_DIR,
                        Path.of(Setting.STATE_DIR.defaultValue()),
                        SettingsReader::path);
        Optional<CurveKeys> curve = curve();
        Function<String, String> endpoint = text -> endpoint(text, curve.isPresent());
        String events =
                value(Setting.EVENTS_ENDPOINT, Setting.EVENTS_ENDPOINT.defaultValue(), endpoint);
        String queries =
                value(Setting.QUERY_ENDPOINT, Setting.QUERY_ENDPOINT.defaultValue(), endpoint);
        checkEndpointsDiffer(events, queries);
        return new Settings(
                stateDir,
                value(
                        Setting.RUN_DIR,
                        Path.of(Setting.RUN_DIR.defaultValue()),
                        SettingsReader::path),
                value(Setting.CHECKPOINT_DIR, stateDir.resolve("checkpoint"), SettingsReader::path),
                value(
                        Setting.LOG_FILE,
                        Path.of(Setting.LOG_FILE.defaultValue()),
                        SettingsReader::path),
                value(
                        Setting.LOG_LEVEL,
                        Setting.LOG_LEVEL.defaultValue(),
                        SettingsReader::logLevel),
                value(Setting.REAL_RUNC_CMD, Optional.empty(), Optional::of),
                value(Setting.CTR_CMD, List.of("ctr", "events"), SettingsReader::command),
                events,
                queries,
                value(Setting.RECORD, RecordScope.ENABLED, SettingsReader::recordScope),
                value(Setting.RETENTION, Duration.ofDays(30), SettingsReader::duration),
                value(Setting.REPLAY, Duration.ofDays(1), SettingsReader::duration),
                value(Setting.DELETE_WAIT_MS, Duration.ofSeconds(1), SettingsReader::deleteWait),
                value(Setting.KERNEL_WITNESS, true, SettingsReader::kernelWitness),
                curve,
                limits());
    }

    private Optional<CurveKeys> curve() {
        Optional<CurveKeyPair> own =
                value(
                        Setting.CURVE_SECRET_KEY_FILE,
                        Optional.empty(),
                        text -> Optional.of(CurveKeyFiles.readPair(path(text))));
        Optional<CurvePublicKey> server =
                value(
                        Setting.CURVE_SERVER_KEY_FILE,
                        Optional.empty(),
                        text -> Optional.of(CurveKeyFiles.readPublic(path(text))));
        Optional<Path> clients =
                value(Setting.CURVE_CLIENTS_DIR, Optional.empty(), text -> Optional.of(path(text)));
        for (Setting other : List.of(Setting.CURVE_SERVER_KEY_FILE, Setting.CURVE_CLIENTS_DIR)) {
            Value value = values.get(other.key());
            if (value != null && !values.containsKey(Setting.CURVE_SECRET_KEY_FILE.key())) {
                problems.add(
                        value.origin()
                                + ": "
                                + other.key()
                                + " is of no use without "
                                + Setting.CURVE_SECRET_KEY_FILE.key());
            }
        }
        return own.map(it -> new CurveKeys(it, server.orElse(it.publicKey()), clients));
    }

    private Limits limits() {
        Limits none = Limits.DEFAULT;
        return new Limits(
                number(Setting.MAX_UNWRITTEN, none.maxUnwritten(), 1_000, 1_000_000),
                number(Setting.MAX_CONNECTIONS, none.maxConnections(), 1, Limits.MAX_CONNECTIONS),
                number(
                        Setting.MAX_REQUEST_BYTES,
                        none.maxRequestBytes(),
                        512,
                        Limits.MAX_REQUEST_BYTES),
                number(Setting.MAX_WAITING, none.maxWaiting(), 0, Limits.MAX_WAITING),
                number(Setting.MAX_REQUESTS_PER_SECOND, none.maxRequestsPerSecond(), 1, 1_000_000));
    }

    private int number(Setting setting, int defaultValue, int min, int max) {
        return value(
                setting,
                defaultValue,
                text -> {
                    int number = text.matches("[0-9]{1,9}") ? Integer.parseInt(text) : -1;
                    if (number < min || number > max) {
                        throw new IllegalArgumentException(
                                "not a number from " + min + " to " + max);
                    }
                    return number;
                });
    }

    private void readConfiguredFile(String name) {
        Path file;
        try {
            file = Path.of(name);
        } catch (InvalidPathException e) {
            problems.add("the environment: " + CONFIG_KEY + "=" + name + ": " + e.getMessage());
            return;
        }
        readFile(file, true);
    }

    private void readFile(Path file, boolean required) {
        List<String> lines;
        try {
            lines = Files.readAllLines(file, StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            if (required) {
                problems.add(
                        "the settings file "
                                + file
                                + " does not exist ("
                                + CONFIG_KEY
                                + " names it)");
            }
            return;
        } catch (IOException e) {
            problems.add("the settings file " + file + " cannot be read: " + e);
            return;
        }
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            String origin = file + ", line " + (i + 1);
            int equals = line.indexOf('=');
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            if (equals < 1) {
                problems.add(origin + ": not a KEY=VALUE line");
                continue;
            }
            accept(
                    line.substring(0, equals).strip(),
                    unquote(line.substring(equals + 1).strip()),
                    origin);
        }
    }

    private void accept(String key, String value, String origin) {
        if (KEYS.contains(key)) {
            if (!value.isEmpty()) {
                values.put(key, new Value(value, origin));
            }
        } else if (!OTHER_KEYS.contains(key)) {
            problems.add(origin + ": unknown key " + key);
        }
    }

    private <T> T value(Setting setting, T defaultValue, Function<String, T> parser) {
        Value value = values.get(setting.key());
        if (value == null) {
            return defaultValue;
        }
        try {
            return parser.apply(value.text());
        } catch (IllegalArgumentException | SetupException e) {
            problems.add(
                    value.origin()
                            + ": "
                            + setting.key()
                            + "="
                            + value.text()
                            + ": "
                            + e.getMessage());
            return defaultValue;
        }
    }

    private static String unquote(String text) {
        char first = text.isEmpty() ? ' ' : text.charAt(0);
        boolean quoted =
                text.length() >= 2
                        && (first == '"' || first == '\'')
                        && text.indexOf(first, 1) == text.length() - 1;
        return quoted ? text.substring(1, text.length() - 1) : text;
    }

    private static Path path(String text) {
        Path path = Path.of(text);
        if (!path.isAbsolute()) {
            throw new IllegalArgumentException("not an absolute path");
        }
        return path.normalize();
    }

    private static String logLevel(String text) {
        String level = text.toUpperCase(Locale.ROOT);
        if (!LEVELS.contains(level)) {
            throw new IllegalArgumentException(
                    "not a log level; they are ERROR, WARN, INFO, DEBUG and TRACE");
        }
        return level;
    }

    private static List<String> command(String text) {
        List<String> words = ShellWords.split(text);
        if (words.isEmpty()) {
            throw new IllegalArgumentException("no command");
        }
        return words;
    }

    private static String endpoint(String text, boolean withKeys) {
        Matcher matcher = ENDPOINT.matcher(text);
        if (!matcher.matches()
                || Integer.parseInt(matcher.group(2)) > MAX_PORT
                || !isAddress(matcher.group(1))) {
            throw new IllegalArgumentException(
                    "not an endpoint of the form tcp://ADDRESS:PORT, with an address such as"
                            + " 127.0.0.1, [::1] or localhost and a port from 1 to "
                            + MAX_PORT);
        }
        if (!withKeys && !isLoopback(matcher.group(1))) {
            throw new IllegalArgumentException(
                    "not a loopback address, and without keys anybody on the network could read there; make a key"
                            + " pair with 'tardis keygen' and name it in "
                            + Setting.CURVE_SECRET_KEY_FILE.key()
                            + ", or take tcp://127.0.0.1:PORT");
        }
        return text;
    }

    /** What is a name may be one; what looks like a number has to be an address. */
    private static boolean isAddress(String host) {
        if (host.startsWith("[")) {
            return ipv6(host).isPresent();
        }
        return !DIGITS_AND_DOTS.matcher(host).matches() || IPV4.matcher(host).matches();
    }

    /** Names are not looked up: they count as elsewhere, but for {@code localhost}. */
    private static boolean isLoopback(String host) {
        return host.equals("localhost")
                || (IPV4.matcher(host).matches() && host.startsWith("127."))
                || ipv6(host).filter(InetAddress::isLoopbackAddress).isPresent();
    }

    private static Optional<InetAddress> ipv6(String host) {
        try {
            return host.startsWith("[") && host.contains(":")
                    ? Optional.of(InetAddress.ofLiteral(host.substring(1, host.length() - 1)))
                    : Optional.empty();
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** Two sockets cannot be bound to one port of one address, nor to it and all addresses. */
    private void checkEndpointsDiffer(String events, String queries) {
        Matcher one = ENDPOINT.matcher(events);
        Matcher other = ENDPOINT.matcher(queries);
        if (!one.matches() || !other.matches() || !one.group(2).equals(other.group(2))) {
            return;
        }
        if (one.group(1).equals(other.group(1))
                || Stream.of(one, other).anyMatch(it -> EVERYWHERE.contains(it.group(1)))) {
            Value value =
                    values.getOrDefault(
                            Setting.QUERY_ENDPOINT.key(),
                            values.get(Setting.EVENTS_ENDPOINT.key()));
            problems.add(
                    (value == null ? "the defaults" : value.origin())
                            + ": "
                            + Setting.EVENTS_ENDPOINT.key()
                            + "="
                            + events
                            + " and "
                            + Setting.QUERY_ENDPOINT.key()
                            + "="
                            + queries
                            + " are the same; take another port for one of them");
        }
    }

    private static RecordScope recordScope(String text) {
        return switch (text) {
            case "enabled" -> RecordScope.ENABLED;
            case "all" -> RecordScope.ALL;
            default -> throw new IllegalArgumentException("neither enabled nor all");
        };
    }

    private static boolean kernelWitness(String text) {
        return switch (text) {
            case "auto" -> true;
            case "off" -> false;
            default -> throw new IllegalArgumentException("neither auto nor off");
        };
    }

    private static Duration deleteWait(String text) {
        if (!text.matches("[0-9]{1,6}") || Integer.parseInt(text) > MAX_DELETE_WAIT_MS) {
            throw new IllegalArgumentException(
                    "not a number of milliseconds from 0 to "
                            + MAX_DELETE_WAIT_MS
                            + "; callers kill a delete that takes 5 s");
        }
        return Duration.ofMillis(Integer.parseInt(text));
    }

    /**
     * A length of time as settings and options write it: a whole number and one of {@code ms},
     * {@code s}, {@code m}, {@code h}, {@code d}.
     *
     * @throws IllegalArgumentException if it is not one
     */
    public static Duration duration(String text) {
        Matcher matcher = DURATION.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "not a length of time such as 500ms, 30s, 5m, 12h or 30d");
        }
        long amount = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            case "h" -> Duration.ofHours(amount);
            default -> Duration.ofDays(amount);
        };
    }
}
