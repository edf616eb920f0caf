package io.tardis.core.wire;

import static io.tardis.core.wire.EventJson.readObject;

import io.tardis.core.wire.Answer.OfContainer;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/** The values of an answer by their keys on the wire, for programs that print some of them. */
public final class AnswerKeys {

    private final JsonNode node;

    /** The keys of {@code answer}. */
    public AnswerKeys(OfContainer answer) {
        this.node = readObject(AnswerCodec.encode(answer));
    }

    /**
     * The value of a key, an object as JSON; empty if the answer has no such key.
     *
     * @param path the key; dots lead into objects: {@code about.pod.name}
     */
    public Optional<String> value(String path) {
        JsonNode value = node;
        for (String key : path.split("\\.", -1)) {
            value = value.path(key);
        }
        if (value.isMissingNode()) {
            return Optional.empty();
        }
        return Optional.of(value.isString() ? value.stringValue() : value.toString());
    }
}
