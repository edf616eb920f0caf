package io.tardis.cli;

import io.tardis.core.Printable;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.AnswerKeys;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The keys of an answer that a user wants to see.
 *
 * @param paths the keys; dots lead into objects
 */
record Keys(List<String> paths) {

    private static final String NOTHING = "-";

    /** Their values, with tabs between them; {@code -} for a key that the answer does not have. */
    String values(OfContainer answer) {
        AnswerKeys keys = new AnswerKeys(answer);
        return paths.stream()
                // Every answer has container_id; only an exit has id, with the same value here.
                .map(it -> it.equals("id") ? "container_id" : it)
                .map(it -> keys.value(it).map(Printable::of).orElse(NOTHING))
                .collect(Collectors.joining("\t"));
    }

    /** Reads {@code id,status,about.image}. */
    static final class Reader implements ITypeConverter<Keys> {

        private static final Pattern SHAPE =
                Pattern.compile("[a-z_]+(\\.[a-z_]+)*(,[a-z_]+(\\.[a-z_]+)*)*");

        @Override
        public Keys convert(String text) {
            if (!SHAPE.matcher(text).matches()) {
                throw new TypeConversionException(
                        "'" + text + "' is not a list of keys such as id,status,about.image");
            }
            return new Keys(List.of(text.split(",", -1)));
        }
    }
}
