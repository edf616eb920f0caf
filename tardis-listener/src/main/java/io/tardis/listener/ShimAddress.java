package io.tardis.listener;

import java.io.IOException;
import java.net.ProtocolException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Where a container's containerd shim answers. It is in the container's bundle: in {@code
 * bootstrap.json} from containerd 2 on, in {@code address} before ({@code
 * core/runtime/v2/shim_manager.go}).
 *
 * <pre>
 * bootstrap.json   {"version":3,"address":"unix:///run/containerd/s/HASH","protocol":"ttrpc"}
 * address          unix:///run/containerd/s/HASH
 * </pre>
 *
 * An address that does not begin with {@code unix://} is one of an abstract socket, as shims before
 * containerd 1.4 had. The JDK cannot connect to these.
 *
 * @param socket the socket's file
 * @param service the name of the task service in the shim's version
 */
record ShimAddress(Path socket, String service) {

    private static final String V2 = "containerd.task.v2.Task";
    private static final String V3 = "containerd.task.v3.Task";
    private static final String SCHEME = "unix://";
    private static final int MAX_BYTES = 4_096;
    private static final JsonMapper JSON = new JsonMapper();

    /**
     * The address that is in {@code bundle}; empty if there is none.
     *
     * @throws ProtocolException if Tardis cannot talk to such a shim
     * @throws IOException if it cannot be read now
     */
    static Optional<ShimAddress> of(Path bundle) throws IOException {
        if (!bundle.isAbsolute()) {
            return Optional.empty(); // it is not known
        }
        Optional<String> bootstrap = SmallFile.read(bundle.resolve("bootstrap.json"), MAX_BYTES);
        if (bootstrap.isPresent()) {
            return Optional.of(parse(bootstrap.get()));
        }
        Optional<String> address = SmallFile.read(bundle.resolve("address"), MAX_BYTES);
        return address.isPresent()
                ? Optional.of(new ShimAddress(socket(address.get()), V2))
                : Optional.empty();
    }

    private static ShimAddress parse(String bootstrap) throws ProtocolException {
        JsonNode node;
        try {
            node = JSON.readTree(bootstrap);
        } catch (JacksonException _) {
            throw new ProtocolException("its bootstrap.json is not JSON");
        }
        if (!node.path("protocol").asString("").equals("ttrpc")) {
            throw new ProtocolException("its shim does not speak ttrpc");
        }
        String service =
                switch (node.path("version").asInt(0)) {
                    case 2 -> V2;
                    case 3 -> V3;
                    default -> throw new ProtocolException("its shim's version is not known");
                };
        return new ShimAddress(socket(node.path("address").asString("")), service);
    }

    private static Path socket(String address) throws ProtocolException {
        String text = address.strip();
        if (!text.startsWith(SCHEME + "/")) {
            throw new ProtocolException("its shim has an abstract socket, or none");
        }
        try {
            return Path.of(text.substring(SCHEME.length()));
        } catch (InvalidPathException _) {
            throw new ProtocolException("its shim's address is no path");
        }
    }
}
