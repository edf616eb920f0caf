package io.tardis.core.config;

import io.tardis.core.SetupException;
import io.tardis.core.TardisException;
import io.tardis.core.curve.CurveKeyFiles;
import io.tardis.core.curve.CurveKeyPair;
import io.tardis.core.curve.CurveKeys;
import io.tardis.core.curve.CurvePublicKey;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

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
 * the key.
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

    /** As for the launcher, which has room for no more. */
    private static final int MAX_FILE_BYTES = 256 * 1024;

    /** Blanks, a comment, or a key and a value with blanks around them. */
    private static final Pattern LINE =
            Pattern.compile(
                    "B*(?:#.*|([A-Za-z_][A-Za-z0-9_]*)B*=B*((?:.*[^ \t\r])?)B*)?"
                            .replace("B*", "[ \t\r]*"),
                    Pattern.DOTALL);

    private static final Pattern QUOTED = Pattern.compile("\\A(?:\"([^\"]*)\"|'([^']*)')\\z");

    private record Value(String text, String origin) {}

    private final Map<String, Value> values = new HashMap<>();
    private final List<String> problems = new ArrayList<>();

    /** Why the file could not be read: that says nothing of the settings in it. */
    private @Nullable IOException unreadable;

    private SettingsReader() {}

    /**
     * The settings, all of them right.
     *
     * @param environment the process's environment
     * @throws SetupException if a key is unknown or a value bad; names each of them
     * @throws TardisException if this user may not read them
     */
    public static Settings strict(Map<String, String> environment) {
        SettingsReader reader = new SettingsReader();
        Settings settings = reader.read(environment);
        if (!reader.problems.isEmpty()) {
            throw new SetupException(String.join("\n", reader.problems), reader.unreadable);
        }
        return settings;
    }

    private Settings read(Map<String, String> environment) {
        String configured = environment.getOrDefault(CONFIG_KEY, "");
        try {
            boolean isDefault = configured.isEmpty();
            readFile(isDefault ? DEFAULT_FILE : SettingParser.path(configured), !isDefault);
        } catch (IllegalArgumentException e) {
            refuse("the environment", CONFIG_KEY + "=" + configured + ": " + e.getMessage());
        }
        environment.forEach((key, value) -> {
            if (key.startsWith("TARDIS_")) {
                accept(key, value, "the environment");
            }
        });
        Path stateDir = value(Setting.STATE_DIR, SettingParser::path);
        Optional<CurveKeys> curve = curve();
        Function<String, String> endpoint =
                curve.isPresent() ? SettingParser::endpoint : SettingParser::loopbackEndpoint;
        String events = value(Setting.EVENTS_ENDPOINT, endpoint);
        String queries = value(Setting.QUERY_ENDPOINT, endpoint);
        checkEndpointsDiffer(Setting.EVENTS_ENDPOINT, events, Setting.QUERY_ENDPOINT, queries);
        Optional<String> metrics = value(Setting.METRICS_ENDPOINT, SettingParser::metricsEndpoint);
        metrics.ifPresent(it -> {
            checkEndpointsDiffer(Setting.EVENTS_ENDPOINT, events, Setting.METRICS_ENDPOINT, it);
            checkEndpointsDiffer(Setting.QUERY_ENDPOINT, queries, Setting.METRICS_ENDPOINT, it);
        });
        return new Settings(
                stateDir,
                value(Setting.RUN_DIR, SettingParser::socketDirectory),
                optional(Setting.CHECKPOINT_DIR, SettingParser::path)
                        .orElse(stateDir.resolve(Layout.CHECKPOINTS)),
                value(Setting.LOG_FILE, SettingParser::path),
                value(Setting.LOG_LEVEL, SettingParser::logLevel),
                optional(Setting.REAL_RUNC_CMD, SettingParser::runtime),
                value(Setting.CTR_CMD, SettingParser::command),
                events,
                queries,
                metrics,
                value(Setting.RECORD, SettingParser::recordScope),
                value(Setting.RETENTION, SettingParser::duration),
                value(Setting.REPLAY, SettingParser::duration),
                value(Setting.DELETE_WAIT_MS, SettingParser::deleteWait),
                value(Setting.KERNEL_WITNESS, SettingParser::kernelWitness),
                access(),
                curve,
                Limits.of(it -> value(it, text -> SettingParser.number(text, it))));
    }

    private Access access() {
        Optional<String> group = optional(Setting.GROUP, SettingParser::group);
        return new Access(
                group.filter(it -> !it.equals(SettingParser.NONE)),
                group.isEmpty(),
                value(Setting.LOCAL_CLIENTS, SettingParser::anyLocalClient));
    }

    private Optional<CurveKeys> curve() {
        Optional<CurveKeyPair> own =
                optional(
                        Setting.CURVE_SECRET_KEY_FILE,
                        text -> CurveKeyFiles.readPair(SettingParser.path(text)));
        Optional<CurvePublicKey> server =
                optional(
                        Setting.CURVE_SERVER_KEY_FILE,
                        text -> CurveKeyFiles.readPublic(SettingParser.path(text)));
        Optional<Path> clients = optional(Setting.CURVE_CLIENTS_DIR, SettingParser::path);
        String ownKey = Setting.CURVE_SECRET_KEY_FILE.key();
        for (Setting other : List.of(Setting.CURVE_SERVER_KEY_FILE, Setting.CURVE_CLIENTS_DIR)) {
            Value value = values.get(other.key());
            if (value != null && !values.containsKey(ownKey)) {
                refuse(value.origin(), other.key() + " is of no use without " + ownKey);
            }
        }
        return own.map(it -> new CurveKeys(it, server.orElse(it.publicKey()), clients));
    }

    private void readFile(Path file, boolean required) {
        String name = "the settings file " + file;
        try {
            // Before it is opened: the open of a FIFO would wait for somebody who writes into it.
            if (!Files.readAttributes(file, BasicFileAttributes.class).isRegularFile()) {
                problems.add(name + " is not a regular file");
                return;
            }
            byte[] bytes;
            try (InputStream in = Files.newInputStream(file)) {
                bytes = in.readNBytes(MAX_FILE_BYTES + 1);
            }
            if (bytes.length > MAX_FILE_BYTES) {
                problems.add(name + " is larger than 256 KiB");
            } else {
                readLines(new String(bytes, StandardCharsets.UTF_8), file);
            }
        } catch (NoSuchFileException e) {
            if (required) {
                problems.add(name + " does not exist (" + CONFIG_KEY + " names it)");
            } else if (Files.isSymbolicLink(file)) {
                problems.add(name + " is a link to a file that does not exist");
            }
        } catch (AccessDeniedException e) {
            // They are right, as far as this user can see: so nobody has to mend them.
            throw new TardisException("cannot tell: permission denied on " + file, e);
        } catch (IOException e) {
            problems.add(name + " cannot be read: " + e);
            unreadable = e;
        }
    }

    private void readLines(String text, Path file) {
        String[] lines = text.replaceFirst("\\A\uFEFF", "").split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            Matcher line = LINE.matcher(lines[i]);
            String origin = file + ", line " + (i + 1);
            if (!line.matches()) {
                refuse(origin, "not a KEY=VALUE line");
            } else if (line.group(1) != null) {
                String value = QUOTED.matcher(line.group(2)).replaceFirst("$1$2");
                accept(line.group(1), value, origin);
            }
        }
    }

    private void accept(String key, String value, String origin) {
        if (KEYS.contains(key)) {
            if (!value.isEmpty()) {
                values.put(key, new Value(value, origin));
            }
        } else if (!OTHER_KEYS.contains(key)) {
            refuse(origin, "unknown key " + key);
        }
    }

    private void refuse(String origin, String problem) {
        problems.add(origin + ": " + problem);
    }

    private <T> T value(Setting setting, Function<String, T> parser) {
        return optional(setting, parser).orElseGet(() -> parser.apply(setting.defaultValue()));
    }

    /** Empty if it is not set, or cannot be used. */
    private <T> Optional<T> optional(Setting setting, Function<String, T> parser) {
        Value value = values.get(setting.key());
        if (value == null) {
            return Optional.empty();
        }
        try {
            if (value.text().indexOf('\uFFFD') >= 0 || value.text().indexOf('\0') >= 0) {
                throw new IllegalArgumentException("not UTF-8 text");
            }
            return Optional.of(parser.apply(value.text()));
        } catch (IllegalArgumentException | SetupException e) {
            refuse(value.origin(), setting.key() + "=" + value.text() + ": " + e.getMessage());
            return Optional.empty();
        }
    }

    private void checkEndpointsDiffer(
            Setting first, String endpoint, Setting second, String other) {
        if (SettingParser.collide(endpoint, other)) {
            Value value = values.getOrDefault(second.key(), values.get(first.key()));
            String shown =
                    second == Setting.METRICS_ENDPOINT
                            ? other.substring(SettingParser.TCP.length())
                            : other;
            refuse(
                    value == null ? "the defaults" : value.origin(),
                    "%s=%s and %s=%s are the same; take another port for one of them"
                            .formatted(first.key(), endpoint, second.key(), shown));
        }
    }
}
