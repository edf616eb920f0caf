package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.TaskExit;
import io.tardis.core.spec.AboutReader;
import io.tardis.listener.CtrEvent.Container;
import io.tardis.listener.CtrEvent.Exit;
import io.tardis.listener.CtrEvent.Ignored;
import io.tardis.listener.CtrEvent.Malformed;
import io.tardis.listener.CtrEvent.Oom;
import io.tardis.listener.CtrEvent.TaskProcess;
import io.tardis.listener.CtrLineReader.Ending;
import io.tardis.listener.CtrLineReader.Line;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the lines of {@code ctr events}, as containerd 1.6 and later print them ({@code
 * cmd/ctr/commands/events/events.go}):
 *
 * <pre>
 * 2026-11-23 02:54:57.829303106 +0000 UTC default /tasks/exit {"container_id":"tc","id":"tc","pid":6615,"exit_status":137,...}
 * DATE       TIME               OFFSET    ZONE NS TOPIC       JSON
 * </pre>
 *
 * <p>Go's {@code time.Time.String()} cuts trailing zeros of the fraction, so it has 0 to 9 digits.
 * The JSON is the protobuf event with its zero fields left out: an exit without {@code exit_status}
 * ended with 0. {@code exited_at} is an RFC 3339 string up to containerd 1.6, and {@code
 * {"seconds":N,"nanos":N}} from 1.7 on; on an exit line without one the line's own time stands in.
 *
 * <p>The topic is found by its position, so a topic inside the JSON is only text. Whatever the
 * bytes, the answer is a value and never an exception, and memory is bounded by the line. For one
 * thread at a time.
 */
final class CtrEventParser {

    private static final String EXIT = "/tasks/exit";
    private static final String CREATE = "/tasks/create";
    private static final String START = "/tasks/start";
    private static final String OOM = "/tasks/oom";
    private static final String DELETE = "/tasks/delete";
    private static final String CONTAINER_CREATE = "/containers/create";
    private static final String CONTAINER_DELETE = "/containers/delete";

    /**
     * The spaces between the fields in front of the JSON: four in the timestamp, two around the
     * namespace and topic.
     */
    private static final int FIELDS = 6;

    private static final Ignored IGNORED = new Ignored();

    private final JsonMapper json =
            new JsonMapper(
                    JsonFactory.builder()
                            .streamReadConstraints(
                                    StreamReadConstraints.builder()
                                            .maxNestingDepth(32)
                                            .maxNumberLength(64)
                                            .build())
                            .build());

    private final int[] fieldEnds = new int[FIELDS];

    /**
     * What {@code line} says.
     *
     * @param line a line without its newline; only read during the call
     */
    CtrEvent parse(Line line) {
        int position = line.offset();
        for (int field = 0; field < FIELDS; position++) {
            if (position == line.offset() + line.length()) {
                return malformed(line, "the line ends before its JSON");
            }
            if (line.buffer()[position] == ' ') {
                fieldEnds[field++] = position;
            }
        }
        String topic = line.text(fieldEnds[4] + 1, fieldEnds[5]);
        return switch (topic) {
            case EXIT, DELETE, START, OOM ->
                    line.ending() == Ending.NEWLINE
                            ? parse(topic, line, position)
                            : malformed(line, "");
            // It has a list of mounts of any length, and the start that follows will do.
            case CREATE -> line.ending() == Ending.NEWLINE ? parse(topic, line, position) : IGNORED;
            // An image is worth no gap.
            case CONTAINER_CREATE, CONTAINER_DELETE ->
                    line.ending() == Ending.NEWLINE
                                    && parse(topic, line, position) instanceof Container container
                            ? container
                            : IGNORED;
            default ->
                    topic.startsWith("/")
                            ? IGNORED
                            : malformed(line, "there is no topic where one is expected");
        };
    }

    private static Malformed malformed(Line line, String whereWhole) {
        return new Malformed(
                switch (line.ending()) {
                    case NEWLINE -> whereWhole;
                    case TOO_LONG -> "the line is longer than " + line.length() + " bytes";
                    case END_OF_STREAM -> "the stream ended in the middle of the line";
                });
    }

    private CtrEvent parse(String topic, Line line, int position) {
        int length = line.offset() + line.length() - position;
        try (JsonParser parser = json.createParser(line.buffer(), position, length)) {
            Fields fields = new Fields(parser);
            fields.read();
            String namespace = line.text(fieldEnds[3] + 1, fieldEnds[4]);
            if (!ContainerKey.isIdentifier(namespace)) {
                return new Malformed("the namespace is not an identifier");
            }
            boolean isOfTask = topic.startsWith("/tasks/");
            String id = isOfTask ? fields.containerId : fields.id;
            if (!ContainerKey.isIdentifier(id)) {
                return new Malformed("container_id is missing or not an identifier");
            }
            ContainerKey container = new ContainerKey(namespace, id);
            return switch (topic) {
                case OOM -> new Oom(container);
                case CONTAINER_CREATE -> new Container(container, shortened(fields.image));
                case CONTAINER_DELETE -> new Container(container, "");
                case CREATE, START ->
                        new TaskProcess(
                                container,
                                bundle(fields.bundle),
                                fields.pid,
                                lineTime(line),
                                topic.equals(START));
                case DELETE ->
                        fields.exitStatus < 0 || fields.exitedAt == null
                                ? IGNORED
                                : fields.exit(container, container.id(), fields.exitedAt);
                default ->
                        !ContainerKey.isIdentifier(fields.id)
                                ? new Malformed("id is missing or not an identifier")
                                : fields.exit(
                                        container,
                                        fields.id,
                                        fields.exitedAt != null ? fields.exitedAt : lineTime(line));
            };
        } catch (BadField e) {
            return new Malformed(e.reason);
        } catch (JacksonException e) {
            return new Malformed(unreadable(e));
        } catch (DateTimeException e) {
            return new Malformed("the line's time cannot be read");
        }
    }

    /** Empty where it is no path: the process counts all the same. */
    private static Path bundle(String text) {
        try {
            return Path.of(text);
        } catch (InvalidPathException _) {
            return Path.of("");
        }
    }

    /** What nobody shows of it need not be remembered. */
    private static String shortened(String text) {
        return text.substring(0, Math.min(text.length(), AboutReader.MAX_VALUE));
    }

    private Instant lineTime(Line line) {
        String date = line.text(line.offset(), fieldEnds[0]);
        String time = line.text(fieldEnds[0] + 1, fieldEnds[1]);
        String zone = line.text(fieldEnds[1] + 1, fieldEnds[2]);
        // Go prints the offset as +0000, RFC 3339 as +00:00.
        String offset = zone.length() == 5 ? zone.substring(0, 3) + ":" + zone.substring(3) : zone;
        return Rfc3339.parse(date + "T" + time + offset);
    }

    /** Jackson's own message repeats parts of the text. */
    private static String unreadable(JacksonException e) {
        TokenStreamLocation location = e.getLocation();
        String kind = "the JSON cannot be read: " + e.getClass().getSimpleName();
        return location == null ? kind : kind + " at its byte " + location.getByteOffset();
    }

    /** The fields of a task event that Tardis reads; whatever else is there is skipped. */
    private static final class Fields {
        private final JsonParser parser;
        private String containerId = "";
        private String id = "";
        private String bundle = "";
        private String image = "";
        private long pid;

        /** Negative where the line has none. */
        private long exitStatus = -1;

        private @Nullable Instant exitedAt;
        private int seen;

        Fields(JsonParser parser) {
            this.parser = parser;
        }

        Exit exit(ContainerKey container, String process, Instant at) {
            return new Exit(new TaskExit(container, process, pid, Math.max(0, exitStatus), at));
        }

        void read() {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new BadField("the JSON is not an object");
            }
            for (String name = parser.nextName(); name != null; name = parser.nextName()) {
                JsonToken token = parser.nextToken();
                switch (name) {
                    case "container_id" -> containerId = string(1, name);
                    case "id" -> id = string(2, name);
                    // These two only in creates, which are worth something without them, too.
                    case "bundle" -> bundle = stringOrNothing();
                    case "image" -> image = stringOrNothing();
                    case "pid" -> pid = integer(4, name, TaskExit.MAX_UINT32);
                    case "exit_status" -> exitStatus = integer(8, name, TaskExit.MAX_UINT32);
                    case "exited_at" -> {
                        once(16, name);
                        exitedAt = time(token);
                    }
                    default -> parser.skipChildren();
                }
            }
            if (parser.currentToken() != JsonToken.END_OBJECT || parser.nextToken() != null) {
                throw new BadField("the JSON is not one whole object");
            }
        }

        private void once(int bit, String name) {
            if ((seen & bit) != 0) {
                throw new BadField(name + " is there twice");
            }
            seen |= bit;
        }

        private String string(int bit, String name) {
            once(bit, name);
            if (parser.currentToken() != JsonToken.VALUE_STRING) {
                throw new BadField(name + " is not a string");
            }
            return parser.getString();
        }

        private String stringOrNothing() {
            String text = parser.currentToken() == JsonToken.VALUE_STRING ? parser.getString() : "";
            parser.skipChildren();
            return text;
        }

        private long integer(int bit, String name) {
            once(bit, name);
            if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
                throw new BadField(name + " is not a whole number");
            }
            return parser.getLongValue();
        }

        private long integer(int bit, String name, long max) {
            long value = integer(bit, name);
            if (value < 0 || value > max) {
                throw new BadField(name + " is out of range");
            }
            return value;
        }

        private Instant time(JsonToken token) {
            try {
                if (token == JsonToken.VALUE_STRING) {
                    return Rfc3339.parse(parser.getString());
                }
                if (token != JsonToken.START_OBJECT) {
                    throw new BadField("exited_at is neither a string nor an object");
                }
                long seconds = 0;
                long nanos = 0;
                for (String name = parser.nextName(); name != null; name = parser.nextName()) {
                    parser.nextToken();
                    switch (name) {
                        case "seconds" -> seconds = integer(32, "exited_at.seconds");
                        case "nanos" -> nanos = integer(64, "exited_at.nanos", 999_999_999);
                        default -> parser.skipChildren();
                    }
                }
                return Rfc3339.inRange(Instant.ofEpochSecond(seconds, nanos));
            } catch (DateTimeException _) {
                throw new BadField("exited_at is not a time");
            }
        }
    }

    /**
     * Carries a reason from the middle of a field to {@link #parse}; cheap, because it has no stack
     * trace.
     */
    private static final class BadField extends RuntimeException {
        @java.io.Serial private static final long serialVersionUID = 1L;
        final String reason;

        BadField(String reason) {
            super(reason, null, false, false);
            this.reason = reason;
        }
    }
}
