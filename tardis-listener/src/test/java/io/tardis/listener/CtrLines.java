package io.tardis.listener;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** Lines as {@code ctr events} of containerd 1.6 prints them, without the newline. */
final class CtrLines {

    private static final String HEAD = "2026-11-23 02:54:57.829303106 +0000 UTC default ";

    private static final DateTimeFormatter NOW =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSSSSSSSS '+0000 UTC default '")
                    .withZone(ZoneOffset.UTC);

    private CtrLines() {}

    static String exit(String container, long pid, long status) {
        return exit(container, container, pid, status);
    }

    static String exit(String container, String id, long pid, long status) {
        return HEAD
                + "/tasks/exit {\"container_id\":\"%s\",\"id\":\"%s\",\"pid\":%d,\"exit_status\":%d,\"exited_at\":\"2026-11-23T02:54:57.8Z\"}"
                        .formatted(container, id, pid, status);
    }

    static String container(String container, String image) {
        return HEAD
                + "/containers/create {\"id\":\"%s\",\"image\":\"%s\",\"runtime\":{\"name\":\"io.containerd.runc.v2\"}}"
                        .formatted(container, image);
    }

    static String create(String container, String bundle, long pid) {
        return HEAD
                + "/tasks/create {\"container_id\":\"%s\",\"bundle\":\"%s\",\"pid\":%d}"
                        .formatted(container, bundle, pid);
    }

    static String start(String container, long pid) {
        return HEAD + "/tasks/start {\"container_id\":\"%s\",\"pid\":%d}".formatted(container, pid);
    }

    /** As it comes just after the start. */
    static String startNow(String container, long pid) {
        return start(container, pid).replace(HEAD, NOW.format(Instant.now()));
    }

    static String oom(String container) {
        return HEAD + "/tasks/oom {\"container_id\":\"%s\"}".formatted(container);
    }
}
