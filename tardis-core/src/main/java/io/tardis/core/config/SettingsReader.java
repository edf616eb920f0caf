package io.tardis.core.config;

import io.tardis.core.SetupException;
import io.tardis.core.curve.CurveKeyFiles;
import io.tardis.core.curve.CurveKeyPair;
import io.tardis.core.curve.CurveKeys;
import io.tardis.core.curve.CurvePublicKey;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
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
 * that {@code TARDIS_CONFIG} names), over which an environment variable of the same name wins. The
 * launcher reads them, too, in settings.c: {@code settings-vectors.txt} tests both.
 *
 * <h2>The grammar</h2>
 *
 * <ul>
 *   <li>The file is a regular one of at most 256 KiB. A byte order mark of UTF-8 at its begin is
 *       skipped. Lines end with LF; spaces, tabs and CR around a line, a key and a value are
 *       dropped.
 *   <li>Empty lines and lines that begin with {@code #} are skipped, whatever bytes they hold.
 *   <li>Of every other line, the part before the first {@code =} is the key: a letter or {@code _},
 *       then letters, digits and {@code _}. The part behind is the value, without the one pair of
 *       quotes around it, if there is one. There are no escapes, no comments behind a value, no
 *       {@code export}.
 *   <li>The last value of a key that is not empty counts; an empty one counts as none.
 *   <li>A value is UTF-8 without NUL and U+FFFD. A path is absolute, and not the root directory.
 * </ul>
 *
 * <p>{@link #strict} refuses all that does not keep to this, every unknown key of the file, every
 * unknown {@code TARDIS_} key of the environment and every bad value, naming the file, the line and
 * the key. {@link #lenient} is for the shim, which must never stop a container.
 */
public final class SettingsReader {

    /** Where the settings are, unless {@code TARDIS_CONFIG} says otherwise. */
    public static final Path DEFAULT_FILE = Path.of("/etc/tardis/tardis.env");

    /** Names the settings file; not a setting itself. */
    public static final String CONFIG_KEY = "TARDIS_CONFIG";

    /**
     * Known, but not read here: {@code TARDIS_ENABLE} belongs into a container's environment,
     * {@code TARDIS_JAVA_OPTS} to the {@code tardis} script, and {@code TARDIS_LAUNCHER} is the
     * mark that the launcher gives to the runtime.
     */
    private static final Set<String> OTHER_KEYS =
            Set.of(CONFIG_KEY, "TARDIS_ENABLE", "TARDIS_JAVA_OPTS", "TARDIS_LAUNCHER");

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

    /** As for the launcher, which has room for no more. */
    private static final int MAX_FILE_BYTES = 256 * 1024;

    private static final int MAX_PATH_BYTES = 4_095;

    /** A socket's path has at most 107 bytes, {@code /tardis.sock} among them. */
    private static final int MAX_SOCKET_DIRECTORY_BYTES = 107 - "/tardis.sock".length();

    private static final String BYTE_ORDER_MARK = "\uFEFF";
    private static final Pattern KEY = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");

    private static final String BLANKS = " \t\r";

    /** What decides where the shim works; it does nothing rather than work elsewhere. */
    private static final Set<Setting> PLACES =
            EnumSet.of(
                    Setting.STATE_DIR, Setting.RUN_DIR, Setting.CHECKPOINT_DIR, Setting.LOG_FILE);

    private record Value(String text, String origin) {}

    private final Map<String, Value> values = new HashMap<>();
    private final List<String> problems = new ArrayList<>();
    private boolean knowsPlaces = true;

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
     * The settings, with the default in place of values that cannot be used; nothing if the file
     * cannot be read, a line is no {@code KEY=VALUE}, or a directory that the shim works in is bad:
     * the default directories are then not the ones that are meant.
     *
     * @param environment the process's environment
     */
    public static Optional<Settings> lenient(Map<String, String> environment) {
        SettingsReader reader = new SettingsReader();
        Settings settings = reader.read(environment);
        return reader.knowsPlaces ? Optional.of(settings) : Optional.empty();
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
                        SettingsReader::socketDirectory),
                value(Setting.CHECKPOINT_DIR, stateDir.resolve("checkpoint"), SettingsReader::path),
                value(
                        Setting.LOG_FILE,
                        Path.of(Setting.LOG_FILE.defaultValue()),
                        SettingsReader::path),
                value(
                        Setting.LOG_LEVEL,
                        Setting.LOG_LEVEL.defaultValue(),
                        SettingsReader::logLevel),
                value(Setting.REAL_RUNC_CMD, Optional.empty(), SettingsReader::runtime),
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
        try {
            readFile(path(name), true);
        } catch (IllegalArgumentException e) {
            refuseFile("the environment: " + CONFIG_KEY + "=" + name + ": " + e.getMessage());
        }
    }

    private void readFile(Path file, boolean required) {
        byte[] bytes;
        try {
            // Before it is opened: the open of a FIFO would wait for somebody who writes into it.
            if (!Files.readAttributes(file, BasicFileAttributes.class).isRegularFile()) {
                refuseFile("the settings file " + file + " is not a regular file");
                return;
            }
            try (InputStream in = Files.newInputStream(file)) {
                bytes = in.readNBytes(MAX_FILE_BYTES + 1);
            }
        } catch (NoSuchFileException e) {
            if (required) {
                refuseFile(
                        "the settings file "
                                + file
                                + " does not exist ("
                                + CONFIG_KEY
                                + " names it)");
            } else if (Files.isSymbolicLink(file)) {
                refuseFile(
                        "the settings file " + file + " is a link to a file that does not exist");
            }
            return;
        } catch (IOException e) {
            refuseFile("the settings file " + file + " cannot be read: " + e);
            return;
        }
        if (bytes.length > MAX_FILE_BYTES) {
            refuseFile("the settings file " + file + " is larger than 256 KiB");
            return;
        }
        readLines(new String(bytes, StandardCharsets.UTF_8), file);
    }

    private void refuseFile(String problem) {
        problems.add(problem);
        knowsPlaces = false;
    }

    private void readLines(String text, Path file) {
        String[] lines =
                (text.startsWith(BYTE_ORDER_MARK) ? text.substring(1) : text).split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            String line = trim(lines[i]);
            String origin = file + ", line " + (i + 1);
            int equals = line.indexOf('=');
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            String key = equals < 0 ? "" : trim(line.substring(0, equals));
            if (KEY.matcher(key).matches()) {
                accept(key, unquote(trim(line.substring(equals + 1))), origin);
            } else {
                refuseFile(origin + ": not a KEY=VALUE line");
            }
        }
    }

    private static String trim(String text) {
        int from = 0;
        int to = text.length();
        while (from < to && BLANKS.indexOf(text.charAt(from)) >= 0) {
            from++;
        }
        while (from < to && BLANKS.indexOf(text.charAt(to - 1)) >= 0) {
            to--;
        }
        return text.substring(from, to);
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
            if (value.text().indexOf('\uFFFD') >= 0 || value.text().indexOf('\0') >= 0) {
                throw new IllegalArgumentException("not UTF-8 text");
            }
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
            knowsPlaces &= !PLACES.contains(setting);
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
        // As the state directory it would be closed to all others.
        if (path.equals(path.getRoot())) {
            throw new IllegalArgumentException("the root directory");
        }
        checkLength(text, MAX_PATH_BYTES);
        return path;
    }

    private static Path socketDirectory(String text) {
        checkLength(text, MAX_SOCKET_DIRECTORY_BYTES);
        return path(text);
    }

    /** An absolute path, or a name to look up on {@code PATH}. */
    private static Optional<String> runtime(String text) {
        if (text.contains("/")) {
            path(text);
        } else {
            checkLength(text, MAX_PATH_BYTES);
        }
        return Optional.of(text);
    }

    private static void checkLength(String text, int max) {
        if (text.getBytes(StandardCharsets.UTF_8).length > max) {
            throw new IllegalArgumentException("too long; the limit is " + max + " bytes");
        }
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
        if (words.getFirst().contains("/")) {
            path(words.getFirst()); // a relative one would depend on where the daemon was started
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
