package io.tardis.cli;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Where the daemon is to listen: {@code tcp://ADDRESS:PORT}, as the settings have checked it.
 *
 * @param text all of it
 */
record Endpoint(String text) {

    int port() {
        return Integer.parseInt(text.substring(text.lastIndexOf(':') + 1));
    }

    private String address() {
        return text.substring("tcp://".length(), text.lastIndexOf(':'));
    }

    /**
     * Why it cannot be bound by a daemon that takes the place of {@code running}; empty if it can.
     * Binds it for a moment.
     */
    Optional<String> problem(OptionalLong running) throws IOException {
        InetSocketAddress address;
        try {
            address =
                    address().equals("*")
                            ? new InetSocketAddress(port())
                            : new InetSocketAddress(InetAddress.getAllByName(address())[0], port());
        } catch (UnknownHostException _) {
            return Optional.of(text + " cannot be bound: its host is not known");
        }
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(address);
            return Optional.empty();
        } catch (IOException e) {
            return problem(running, e);
        }
    }

    private Optional<String> problem(OptionalLong running, IOException e) throws IOException {
        Set<Long> listening = ListeningSockets.onPort(port());
        if (running.isPresent()
                && ListeningSockets.of(running.getAsLong()).stream()
                        .anyMatch(listening::contains)) {
            return Optional.empty();
        }
        OptionalLong owner = ListeningSockets.owner(listening);
        return Optional.of(
                text
                        + " cannot be bound: "
                        + e.getMessage()
                        + (owner.isPresent() ? "; process " + owner.getAsLong() + " has it" : ""));
    }
}
