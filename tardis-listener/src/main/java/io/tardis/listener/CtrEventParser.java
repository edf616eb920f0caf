package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.Rfc3339;
import io.tardis.core.event.TaskExit;
import io.tardis.listener.CtrEvent.ContainerExit;
import io.tardis.listener.CtrEvent.ExecExit;
import io.tardis.listener.CtrEvent.Ignored;
import io.tardis.listener.CtrEvent.Malformed;
import io.tardis.listener.CtrEvent.Oom;
import io.tardis.listener.CtrEvent.TaskCreate;
import io.tardis.listener.CtrEvent.TaskDelete;
import io.tardis.listener.CtrEvent.TaskStart;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Arrays;
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

    private static final byte[] EXIT = ascii("/tasks/exit");
    private static final byte[] CREATE = ascii("/tasks/create");
    private static final byte[] START = ascii("/tasks/start");
    private static final byte[] OOM = ascii("/tasks/oom");
    private static final byte[] DELETE = ascii("/tasks/delete");

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

    /** Whether the last line was of a create. */
    private boolean create;

    /** A parser, for one thread at a time. */
    public CtrEventParser() {}

    /**
     * What {@code line} says.
     *
     * @param line a line without its newline; only read during the call
     */
    public CtrEvent parse(CtrLineReader.Line line) {
        CtrEvent event = parse(line.buffer(), line.offset(), line.length());
        boolean isWhole = line.ending() == CtrLineReader.Ending.NEWLINE;
        // A create has a list of mounts of any length, and the start that follows will do.
        if (event instanceof Ignored || (!isWhole && create)) {
            return IGNORED;
        }
        return switch (line.ending()) {
            case NEWLINE -> event;
            case TOO_LONG -> new Malformed("the line is longer than " + line.length() + " bytes");
            case END_OF_STREAM -> new Malformed("the stream ended in the middle of the line");
        };
    }

    /**
     * What the line in {@code buffer} says.
     *
     * @param buffer holds the line; only read during the call
     * @param offset where it begins
     * @param length how many bytes it has, without the newline
     */
    public CtrEvent parse(byte[] buffer, int offset, int length) {
        int end = offset + length;
        int position = offset;
        create = false;
        for (int field = 0; field < FIELDS; field++) {
            while (position < end && buffer[position] != ' ') {
                position++;
            }
            if (position == end) {
                return new Malformed("the line ends before its JSON");
            }
            fieldEnds[field] = position++;
        }
        int topic = fieldEnds[4] + 1;
        boolean exit = isField(buffer, topic, fieldEnds[5], EXIT);
        boolean delete = isField(buffer, topic, fieldEnds[5], DELETE);
        create = isField(buffer, topic, fieldEnds[5], CREATE);
        boolean start = isField(buffer, topic, fieldEnds[5], START);
        boolean oom = isField(buffer, topic, fieldEnds[5], OOM);
        if (!(exit || delete || create || start || oom)) {
            return buffer[topic] == '/'
                    ? IGNORED
                    : new Malformed("there is no topic where one is expected");
        }
        String namespace = text(buffer, fieldEnds[3] + 1, fieldEnds[4]);
        try {
            Fields fields = Fields.read(json, buffer, position, end - position);
            if (!ContainerKey.isIdentifier(namespace)) {
                return new Malformed("the namespace is not an identifier");
            }
            if (fields.containerId == null || !ContainerKey.isIdentifier(fields.containerId)) {
                return new Malformed("container_id is missing or not an identifier");
            }
            ContainerKey container = new ContainerKey(namespace, fields.containerId);
            if (oom) {
                return new Oom(container);
            }
            if (create) {
                String bundle = fields.bundle == null ? "" : fields.bundle;
                return new TaskCreate(container, bundle, fields.pid, lineTime(buffer, offset));
            }
            if (start) {
                return new TaskStart(container, fields.pid, lineTime(buffer, offset));
            }
            if (delete) {
                return fields.exitStatus < 0 || fields.exitedAt == null
                        ? IGNORED
                        : new TaskDelete(
                                new TaskExit(
                                        container,
                                        container.id(),
                                        fields.pid,
                                        fields.exitStatus,
                                        fields.exitedAt));
            }
            if (fields.id == null || !ContainerKey.isIdentifier(fields.id)) {
                return new Malformed("id is missing or not an identifier");
            }
            Instant exitedAt = fields.exitedAt != null ? fields.exitedAt : lineTime(buffer, offset);
            TaskExit taskExit =
                    new TaskExit(
                            container,
                            fields.id,
                            fields.pid,
                            Math.max(0, fields.exitStatus),
                            exitedAt);
            return taskExit.isContainerExit()
                    ? new ContainerExit(taskExit)
                    : new ExecExit(taskExit);
        } catch (BadField e) {
            return new Malformed(e.reason);
        } catch (JacksonException e) {
            return new Malformed(unreadable(e));
        } catch (DateTimeException e) {
            return new Malformed("the line's time cannot be read");
        }
    }

    private Instant lineTime(byte[] buffer, int offset) {
        String date = text(buffer, offset, fieldEnds[0]);
        String time = text(buffer, fieldEnds[0] + 1, fieldEnds[1]);
        String zone = text(buffer, fieldEnds[1] + 1, fieldEnds[2]);
        // Go prints the offset as +0000, RFC 3339 as +00:00.
        String offsetText =
                zone.length() == 5 ? zone.substring(0, 3) + ":" + zone.substring(3) : zone;
        return Rfc3339.parse(date + "T" + time + offsetText);
    }

    /** Jackson's own message repeats parts of the text. */
    private static String unreadable(JacksonException e) {
        TokenStreamLocation location = e.getLocation();
        String kind = "the JSON cannot be read: " + e.getClass().getSimpleName();
        return location == null ? kind : kind + " at its byte " + location.getByteOffset();
    }

    private static boolean isField(byte[] buffer, int from, int to, byte[] expected) {
        return Arrays.equals(buffer, from, to, expected, 0, expected.length);
    }

    private static String text(byte[] buffer, int from, int to) {
        return new String(buffer, from, to - from, StandardCharsets.UTF_8);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** The fields of a task event that Tardis reads; whatever else is there is skipped. */
    private static final class Fields {
        @Nullable String containerId;
        @Nullable String id;
        @Nullable String bundle;
        long pid;

        /** Negative where the line has none. */
        long exitStatus = -1;

        @Nullable Instant exitedAt;
        private int seen;

        static Fields read(JsonMapper json, byte[] buffer, int offset, int length) {
            Fields fields = new Fields();
            try (JsonParser parser = json.createParser(buffer, offset, length)) {
                if (parser.nextToken() != JsonToken.START_OBJECT) {
                    throw new BadField("the JSON is not an object");
                }
                for (String name = parser.nextName(); name != null; name = parser.nextName()) {
                    fields.readField(name, parser);
                }
                if (parser.currentToken() != JsonToken.END_OBJECT || parser.nextToken() != null) {
                    throw new BadField("the JSON is not one whole object");
                }
            }
            return fields;
        }

        private void readField(String name, JsonParser parser) {
            JsonToken token = parser.nextToken();
            switch (name) {
                case "container_id" -> containerId = string(1, name, token, parser);
                case "id" -> id = string(2, name, token, parser);
                case "bundle" -> {
                    // Of no other line than a create's, which is worth something without it, too.
                    bundle = token == JsonToken.VALUE_STRING ? parser.getString() : null;
                    parser.skipChildren();
                }
                case "pid" -> pid = uint32(4, name, token, parser);
                case "exit_status" -> exitStatus = uint32(8, name, token, parser);
                case "exited_at" -> {
                    once(16, name);
                    exitedAt = exitedAt(token, parser);
                }
                default -> parser.skipChildren();
            }
        }

        private void once(int bit, String name) {
            if ((seen & bit) != 0) {
                throw new BadField(name + " is there twice");
            }
            seen |= bit;
        }

        private String string(int bit, String name, JsonToken token, JsonParser parser) {
            once(bit, name);
            if (token != JsonToken.VALUE_STRING) {
                throw new BadField(name + " is not a string");
            }
            return parser.getString();
        }

        private long uint32(int bit, String name, JsonToken token, JsonParser parser) {
            once(bit, name);
            long value = integer(name, token, parser);
            if (value < 0 || value > TaskExit.MAX_UINT32) {
                throw new BadField(name + " is out of range");
            }
            return value;
        }

        private static long integer(String name, JsonToken token, JsonParser parser) {
            if (token != JsonToken.VALUE_NUMBER_INT) {
                throw new BadField(name + " is not a whole number");
            }
            return parser.getLongValue();
        }

        private Instant exitedAt(JsonToken token, JsonParser parser) {
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
                    JsonToken value = parser.nextToken();
                    switch (name) {
                        case "seconds" -> {
                            once(32, "exited_at.seconds");
                            seconds = integer("exited_at.seconds", value, parser);
                        }
                        case "nanos" -> {
                            once(64, "exited_at.nanos");
                            nanos = integer("exited_at.nanos", value, parser);
                        }
                        default -> parser.skipChildren();
                    }
                }
                if (nanos < 0 || nanos > 999_999_999) {
                    throw new BadField("exited_at.nanos is out of range");
                }
                return Rfc3339.inRange(Instant.ofEpochSecond(seconds, nanos));
            } catch (DateTimeException e) {
                throw new BadField("exited_at is not a time", e);
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
            this(reason, null);
        }

        BadField(String reason, @Nullable Throwable cause) {
            super(reason, cause, false, false);
            this.reason = reason;
        }
    }
}
