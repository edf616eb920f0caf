package io.tardis.core.config;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A line of {@code settings-vectors.txt}: a settings file, and what both readers make of it.
 *
 * @param line how it is written
 * @param file the settings file, a char for each byte
 * @param refused which line is refused, 0 for the whole file, -1 for none
 * @param values the values that are no defaults
 */
record SettingsVector(String line, String file, int refused, Map<String, String> values) {

    private static final Path FILE =
            Path.of("src/test/resources/io/tardis/core/config/settings-vectors.txt");
    private static final Pattern REPEATED = Pattern.compile("\\{(\\d+)}");

    static List<SettingsVector> all() throws IOException {
        return Files.readAllLines(FILE).stream()
                .filter(line -> !line.isBlank() && !line.startsWith("#"))
                .map(SettingsVector::parse)
                .toList();
    }

    private static SettingsVector parse(String line) {
        String expected = line.substring(0, line.indexOf('|')).strip();
        String file = unescape(line.substring(line.indexOf('|') + 1).strip());
        if (expected.startsWith("refused ")) {
            return new SettingsVector(
                    line, file, Integer.parseInt(expected.substring(8)), Map.of());
        }
        Map<String, String> values = new HashMap<>();
        for (String value : expected.split(" ; ", -1)) {
            int equals = value.indexOf('=');
            if (equals > 0) {
                values.put(
                        "TARDIS_" + value.substring(0, equals),
                        new String(
                                unescape(value.substring(equals + 1)).getBytes(ISO_8859_1), UTF_8));
            }
        }
        return new SettingsVector(line, file, -1, values);
    }

    private static String unescape(String text) {
        return REPEATED.matcher(text)
                .replaceAll(it -> "a".repeat(Integer.parseInt(it.group(1))))
                .translateEscapes();
    }

    String value(Setting setting, String otherwise) {
        return values.getOrDefault(setting.key(), otherwise);
    }

    @Override
    public String toString() {
        return line;
    }
}
