package io.tardis.runc;

import io.tardis.testkit.FakeLauncher;
import java.nio.file.Path;

/** Calls as the native launcher sends them. */
final class Requests {

    private Requests() {}

    /** The bytes of a call. */
    static byte[] of(RuncCall call) {
        return FakeLauncher.request(fields(call));
    }

    /** Hands a call to the daemon, and returns whether that answered go. */
    static boolean send(Path socket, RuncCall call) {
        return FakeLauncher.call(socket, fields(call));
    }

    private static String[] fields(RuncCall call) {
        String namespace = call.container().namespace();
        String id = call.container().id();
        String root = call.root().toString();
        return switch (call) {
            case RuncCall.Create create ->
                    new String[] {"create", namespace, id, root, create.bundle().toString(), "0"};
            case RuncCall.Start _ -> new String[] {"start", namespace, id, root, "", "0"};
            case RuncCall.Delete delete ->
                    new String[] {"delete", namespace, id, root, "", delete.force() ? "1" : "0"};
        };
    }
}
