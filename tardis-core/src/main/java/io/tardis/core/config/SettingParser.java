package io.tardis.core.config;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * How values of settings are written. Each method throws an {@link IllegalArgumentException} that
 * says what is wrong with the text.
 */
public final class SettingParser {

    private static final Pattern DURATION = Pattern.compile("([0-9]{1,9})(ms|s|m|h|d)");

    /** How an endpoint begins; that of the metrics is written without it. */
    static final String TCP = "tcp://";

    /** An address is IPv6 in brackets, anything else without a colon, or {@code *}. */
    private static final Pattern ENDPOINT =
            Pattern.compile("tcp://(\\[[0-9A-Fa-f:.]+]|[A-Za-z0-9._-]+|\\*):([1-9][0-9]{0,4})");

    /** The JDK takes a number for the group of that number, which nobody may have named. */
    private static final Pattern DIGITS = Pattern.compile("[0-9]+");

    private static final Pattern DIGITS_AND_DOTS = Pattern.compile("[0-9.]+");
    private static final Pattern IPV4 =
            Pattern.compile("((25[0-5]|2[0-4]\\d|1?\\d?\\d)(\\.(?!$)|$)){4}");

    private static final int MAX_PORT = 65_535;
    private static final Set<String> EVERYWHERE = Set.of("*", "0.0.0.0", "[::]");
    private static final Set<String> LEVELS = Set.of("ERROR", "WARN", "INFO", "DEBUG", "TRACE");

    /** As for the launcher, which has room for no more. */
    private static final int MAX_PATH_BYTES = 4_095;

    /** A socket's path has at most 107 bytes. */
    private static final int MAX_SOCKET_DIRECTORY_BYTES = 107 - ("/" + Layout.SOCKET).length();

    /** A value that stands for nothing. */
    static final String NONE = "none";

    private SettingParser() {}

    /**
     * A length of time: a whole number and one of {@code ms}, {@code s}, {@code m}, {@code h},
     * {@code d}.
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

    static Duration deleteWait(String text) {
        int max = Setting.DELETE_WAIT_MS.max();
        if (!text.matches("[0-9]{1,6}") || Integer.parseInt(text) > max) {
            throw new IllegalArgumentException(
                    "not a number of milliseconds from 0 to "
                            + max
                            + "; callers kill a delete that takes 5 s");
        }
        return Duration.ofMillis(Integer.parseInt(text));
    }

    static int number(String text, Setting range) {
        int number = text.matches("[0-9]{1,9}") ? Integer.parseInt(text) : -1;
        if (number < range.min() || number > range.max()) {
            throw new IllegalArgumentException(
                    "not a number from " + range.min() + " to " + range.max());
        }
        return number;
    }

    static Path path(String text) {
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

    static Path socketDirectory(String text) {
        checkLength(text, MAX_SOCKET_DIRECTORY_BYTES);
        return path(text);
    }

    /** An absolute path, or a name to look up on {@code PATH}. */
    static String runtime(String text) {
        if (text.contains("/")) {
            path(text);
        } else {
            checkLength(text, MAX_PATH_BYTES);
        }
        return text;
    }

    private static void checkLength(String text, int max) {
        if (text.getBytes(StandardCharsets.UTF_8).length > max) {
            throw new IllegalArgumentException("too long; the limit is " + max + " bytes");
        }
    }

    static String logLevel(String text) {
        String level = text.toUpperCase(Locale.ROOT);
        if (!LEVELS.contains(level)) {
            throw new IllegalArgumentException(
                    "not a log level; they are ERROR, WARN, INFO, DEBUG and TRACE");
        }
        return level;
    }

    static List<String> command(String text) {
        List<String> words = ShellWords.split(text);
        if (words.isEmpty()) {
            throw new IllegalArgumentException("no command");
        }
        if (words.getFirst().contains("/")) {
            path(words.getFirst()); // a relative one would depend on where the daemon was started
        }
        return words;
    }

    static RecordScope recordScope(String text) {
        return isFirst(text, "enabled", "all") ? RecordScope.ENABLED : RecordScope.ALL;
    }

    static boolean kernelWitness(String text) {
        return isFirst(text, "auto", "off");
    }

    static boolean anyLocalClient(String text) {
        return !isFirst(text, "group", "any");
    }

    /** A group that the user database has, or {@value #NONE}. */
    static String group(String text) {
        if (!text.equals(NONE) && (DIGITS.matcher(text).matches() || !isGroup(text))) {
            throw new IllegalArgumentException(
                    "there is no such group; make it, name another one, or set " + NONE);
        }
        return text;
    }

    private static boolean isGroup(String name) {
        try {
            GroupPrincipal _ =
                    FileSystems.getDefault()
                            .getUserPrincipalLookupService()
                            .lookupPrincipalByGroupName(name);
            return true;
        } catch (IOException _) {
            return false;
        }
    }

    private static boolean isFirst(String text, String first, String second) {
        if (!text.equals(first) && !text.equals(second)) {
            throw new IllegalArgumentException("neither " + first + " nor " + second);
        }
        return text.equals(first);
    }

    static String endpoint(String text) {
        return parsed(text).group();
    }

    /** Its address and its port. */
    private static Matcher parsed(String endpoint) {
        Matcher matcher = ENDPOINT.matcher(endpoint);
        if (!isEndpoint(matcher)) {
            throw new IllegalArgumentException(
                    "not an endpoint of the form tcp://ADDRESS:PORT, with an address such as"
                            + " 127.0.0.1, [::1] or localhost and a port from 1 to "
                            + MAX_PORT);
        }
        return matcher;
    }

    private static boolean isEndpoint(Matcher matcher) {
        return matcher.matches()
                && Integer.parseInt(matcher.group(2)) <= MAX_PORT
                && isAddress(matcher.group(1));
    }

    /** Where an endpoint is; {@code *} stands for every IPv4 address. */
    public static InetSocketAddress address(String endpoint) throws UnknownHostException {
        Matcher matcher = parsed(endpoint);
        String host = matcher.group(1).equals("*") ? "0.0.0.0" : matcher.group(1);
        return new InetSocketAddress(
                InetAddress.getByName(host), Integer.parseInt(matcher.group(2)));
    }

    /** An endpoint for those who have no keys. */
    static String loopbackEndpoint(String text) {
        if (!isLoopback(parsed(text).group(1))) {
            throw new IllegalArgumentException(
                    "not a loopback address, and without keys anybody on the network could read there; make a key"
                            + " pair with 'tardis keygen' and name it in "
                            + Setting.CURVE_SECRET_KEY_FILE.key()
                            + ", or take tcp://127.0.0.1:PORT");
        }
        return text;
    }

    /**
     * Where metrics are served, as an endpoint; HTTP has no keys, and so no address but a loopback
     * one.
     *
     * @return empty for {@code off}
     */
    static Optional<String> metricsEndpoint(String text) {
        if (text.equals("off")) {
            return Optional.empty();
        }
        String endpoint = TCP + text;
        Matcher matcher = ENDPOINT.matcher(endpoint);
        if (!isEndpoint(matcher) || !isLoopback(matcher.group(1))) {
            throw new IllegalArgumentException(
                    "neither off nor ADDRESS:PORT with a loopback address, such as 127.0.0.1:9580;"
                            + " whoever reaches the port can read the metrics, so other addresses"
                            + " need a proxy that asks who reads");
        }
        return Optional.of(endpoint);
    }

    /** Two sockets cannot be bound to one port of one address, nor to it and all addresses. */
    static boolean collide(String endpoint, String with) {
        Matcher one = parsed(endpoint);
        Matcher other = parsed(with);
        return one.group(2).equals(other.group(2))
                && (one.group(1).equals(other.group(1))
                        || Stream.of(one, other).anyMatch(it -> EVERYWHERE.contains(it.group(1))));
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
}
