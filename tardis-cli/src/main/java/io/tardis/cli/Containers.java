package io.tardis.cli;

import io.tardis.core.client.QueryClient;
import io.tardis.core.wire.Answer;
import io.tardis.core.wire.Answer.OfContainer;
import io.tardis.core.wire.AnswerCodec;
import java.util.List;
import java.util.Optional;

/** Asks for the containers that the daemon knows. */
final class Containers {

    /** So many fit one answer, whatever is known of each. */
    static final int ALWAYS_FIT = 2_000;

    /** The daemon ends a connection that leaves 8 MiB unread; a little less, as sizes differ. */
    private static final long MOST_BYTES = 6L << 20;

    private Containers() {}

    /**
     * The newest containers, open lives first, as many as one answer can hold.
     *
     * @param namespace only those of this containerd namespace; empty for all
     * @param limit how many at the most
     */
    static List<OfContainer> newest(QueryClient client, Optional<String> namespace, int limit) {
        Answer.Containers some = client.list(namespace, Math.min(limit, ALWAYS_FIT));
        if (limit <= ALWAYS_FIT || some.containers().size() < ALWAYS_FIT) {
            return some.containers();
        }
        int most = (int) Math.min(limit, ALWAYS_FIT * MOST_BYTES / AnswerCodec.encode(some).length);
        return most <= ALWAYS_FIT ? some.containers() : client.list(namespace, most).containers();
    }
}
