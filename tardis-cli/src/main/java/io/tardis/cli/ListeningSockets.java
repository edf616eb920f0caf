package io.tardis.cli;

import io.tardis.core.config.SettingParser;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Who listens where, as the kernel lists it in {@code /proc} (proc(5)). Sockets are known by their
 * inodes. Only root, and a process's own user, can see whose a socket is.
 */
final class ListeningSockets {

    private static final Path PROC = Path.of("/proc");
    private static final Pattern SOCKET = Pattern.compile("socket:\\[([0-9]+)]");
    private static final Pattern BLANKS = Pattern.compile("\\s+");

    /** The state of a TCP socket that listens. */
    private static final String LISTEN = "0A";

    /** The flag of a Unix socket that listens. */
    private static final long ACCEPTS = 0x10000;

    private ListeningSockets() {}

    /** The TCP sockets that listen on {@code port}, of whatever address. */
    static Set<Long> onPort(int port) throws IOException {
        String ending = String.format(":%04X", port);
        Set<Long> inodes = new HashSet<>();
        for (String table : List.of("net/tcp", "net/tcp6")) {
            for (String[] row : rows(table, 0)) {
                if (row.length > 9 && row[1].endsWith(ending) && row[3].equals(LISTEN)) {
                    inodes.add(Long.parseLong(row[9]));
                }
            }
        }
        return inodes;
    }

    /** The Unix sockets that listen, and the paths that they were bound to. */
    static Map<Long, Path> unix() throws IOException {
        Map<Long, Path> paths = new HashMap<>();
        for (String[] row : rows("net/unix", 8)) {
            if (row.length > 7
                    && row[0].matches("[0-9a-f]+:") // else the rest of a path with a line feed
                    && row[6].matches("[0-9]{1,18}")
                    && row[7].startsWith("/")
                    && (Long.parseLong(row[3], 16) & ACCEPTS) != 0) {
                paths.put(Long.parseLong(row[6]), Path.of(row[7]));
            }
        }
        return paths;
    }

    /** The last of so many columns may have blanks in it; 0 for as many as there are. */
    private static List<String[]> rows(String table, int columns) throws IOException {
        Path file = PROC.resolve(table);
        if (!Files.exists(file)) {
            return List.of(); // a kernel without IPv6
        }
        // Paths of other programs may be in any encoding.
        return Files.readAllLines(file, StandardCharsets.ISO_8859_1).stream()
                .skip(1)
                .map(line -> BLANKS.split(line.strip(), columns))
                .toList();
    }

    /** The sockets that the process has; none if it has ended, or this user cannot see it. */
    static Set<Long> of(long pid) {
        return openFiles(pid).stream()
                .map(it -> SOCKET.matcher(it.toString()))
                .filter(Matcher::matches)
                .map(it -> Long.valueOf(it.group(1)))
                .collect(Collectors.toUnmodifiableSet());
    }

    /** What the process has open, as the kernel names it; nothing as above. */
    static List<Path> openFiles(long pid) {
        Path descriptors = PROC.resolve(pid + "/fd");
        String[] names = descriptors.toFile().list();
        List<Path> targets = new ArrayList<>();
        for (String name : names == null ? new String[0] : names) {
            try {
                targets.add(Files.readSymbolicLink(descriptors.resolve(name)));
            } catch (IOException _) {
                // closed meanwhile
            }
        }
        return targets;
    }

    /** The process that has one of these sockets; empty if this user cannot see it. */
    static OptionalLong owner(Set<Long> inodes) {
        return ProcessHandle.allProcesses()
                .mapToLong(ProcessHandle::pid)
                .filter(it -> !inodes.isEmpty() && hasOne(it, inodes))
                .findFirst();
    }

    private static boolean hasOne(long pid, Set<Long> inodes) {
        return !Collections.disjoint(of(pid), inodes);
    }

    /**
     * Why {@code tcp://ADDRESS:PORT} cannot be bound by a daemon that takes the place of {@code
     * running}; empty if it can. Binds it for a moment.
     */
    static Optional<String> problem(String endpoint, OptionalLong running) throws IOException {
        String problem = endpoint + " cannot be bound: ";
        try {
            bind(endpoint);
            return Optional.empty();
        } catch (UnknownHostException _) {
            return Optional.of(problem + "its host is not known");
        } catch (IOException e) {
            Set<Long> listening = onPort(SettingParser.address(endpoint).getPort());
            if (running.isPresent() && hasOne(running.getAsLong(), listening)) {
                return Optional.empty();
            }
            OptionalLong owner = owner(listening);
            String who = owner.isEmpty() ? "" : "; process " + owner.getAsLong() + " has it";
            return Optional.of(problem + e.getMessage() + who);
        }
    }

    /**
     * How it is with an endpoint that has no {@link #problem}. The daemon may have been started
     * with another one.
     */
    static String state(String endpoint, OptionalLong running) {
        try {
            bind(endpoint);
        } catch (IOException _) {
            return endpoint + ", the daemon's";
        }
        return endpoint
                + " is free"
                + (running.isPresent() ? "; the daemon uses another until 'tardis restart'" : "");
    }

    private static void bind(String endpoint) throws IOException {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(SettingParser.address(endpoint));
        }
    }
}
