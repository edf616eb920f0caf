package io.tardis.runc;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;

/**
 * Reads JSON files that others write, as a stream and as runc's decoder does ({@code encoding/json}
 * of Go 1.19.8): what runc accepts, this accepts, and it means the same.
 *
 * <ul>
 *   <li>Names match in any case. Of equal names the last one counts, but objects of equal names are
 *       one: the later one adds to the earlier.
 *   <li>Names, strings and numbers may be as long as the file; 10,000 levels may be nested.
 *   <li>Bytes that are no UTF-8 become U+FFFD; a byte order mark is an error.
 *   <li>What follows the first value is not looked at.
 * </ul>
 *
 * <p>An image and a pod's spec say what is in these files. So a file has a limit, and all files
 * that are read at one moment have it together: memory does not grow with the number of readers.
 */
final class GoJson {

    /** Real ones have some ten thousand bytes; one file must not take the daemon's memory. */
    static final int MAX_FILE_SIZE = 8 * 1024 * 1024;

    /** As long as a launcher waits for the first word, or longer. */
    private static final int PATIENCE_SECONDS = 2;

    private static final JsonFactory JSON =
            JsonFactory.builder()
                    .streamReadConstraints(
                            StreamReadConstraints.builder()
                                    .maxDocumentLength(MAX_FILE_SIZE) // it may grow meanwhile
                                    .maxNestingDepth(10_000)
                                    .maxNameLength(MAX_FILE_SIZE)
                                    .maxNumberLength(MAX_FILE_SIZE)
                                    .maxStringLength(MAX_FILE_SIZE)
                                    .build())
                    // Names are a stranger's, too: none is kept for the next file.
                    .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
                    .disable(TokenStreamFactory.Feature.INTERN_PROPERTY_NAMES)
                    .build();

    /** The bytes that may be read at this moment, by all threads. */
    private static final Semaphore BYTES = new Semaphore(MAX_FILE_SIZE);

    private final JsonParser parser;

    private GoJson(JsonParser parser) {
        this.parser = parser;
    }

    /**
     * Reads {@code file}.
     *
     * @param value looks at the value
     * @throws java.nio.file.NoSuchFileException if there is none
     * @throws IOException if it cannot be read, is too large, or is not JSON
     */
    static void read(Path file, Consumer<GoJson> value) throws IOException {
        BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
        if (!attributes.isRegularFile()) {
            throw new IOException(file + " is not a regular file"); // a pipe would block for ever
        }
        if (attributes.size() > MAX_FILE_SIZE) {
            throw new IOException(
                    "%s has %d bytes, and is larger than %d bytes"
                            .formatted(file, attributes.size(), MAX_FILE_SIZE));
        }
        int size = (int) attributes.size();
        acquire(file, size);
        try (InputStream in = Files.newInputStream(file);
                JsonParser parser =
                        JSON.createParser(
                                ObjectReadContext.empty(),
                                new InputStreamReader(in, StandardCharsets.UTF_8))) {
            if (parser.nextToken() == null) {
                throw new IOException(file + " is not JSON: it is empty");
            }
            value.accept(new GoJson(parser));
            parser.skipChildren();
        } catch (JacksonException e) {
            throw new IOException(file + " is not JSON: " + e.getMessage(), e);
        } finally {
            BYTES.release(size);
        }
    }

    private static void acquire(Path file, int size) throws IOException {
        try {
            if (!BYTES.tryAcquire(size, PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException(
                        "%s (%d bytes) is not read: other files of this kind are read too slowly"
                                .formatted(file, size));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(file + " is not read: the daemon ends", e);
        }
    }

    /** If this value is an object, has {@code value} look at each of its fields of this name. */
    void fields(String name, Runnable value) {
        if (is(JsonToken.START_OBJECT)) {
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                boolean isWanted = name.equalsIgnoreCase(parser.currentName());
                parser.nextToken();
                if (isWanted) {
                    value.run();
                }
                parser.skipChildren(); // if it has not read them
            }
        }
    }

    /** If this value is an array, has {@code element} look at each of its elements. */
    void elements(Runnable element) {
        if (is(JsonToken.START_ARRAY)) {
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                element.run();
                parser.skipChildren();
            }
        }
    }

    boolean is(JsonToken token) {
        return parser.currentToken() == token;
    }

    /**
     * Returns the first characters of this value if it is of that kind, else none. A long one is
     * not copied.
     */
    String text(JsonToken kind, int most) {
        return is(kind)
                ? new String(
                        parser.getStringCharacters(),
                        parser.getStringOffset(),
                        Math.min(most, parser.getStringLength()))
                : "";
    }
}
