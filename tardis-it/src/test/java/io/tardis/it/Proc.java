package io.tardis.it;

import static io.tardis.it.Wait.SOON;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A process as {@code /proc} shows it. Reading one that has gone gives empty answers: processes end
 * while they are looked at.
 */
record Proc(long pid) {

    private static final Path PROC = Path.of("/proc");

    /** All processes of the machine. */
    static List<Proc> all() {
        List<Proc> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(PROC, "[0-9]*")) {
            entries.forEach(entry -> found.add(new Proc(Long.parseLong(fileName(entry)))));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    /**
     * The living processes, this one apart, that name a path in their arguments or environment. For
     * a path as unique as a temporary folder, these are the processes that come from whoever made
     * it.
     */
    static List<Proc> naming(Path path) {
        String text = path.toString();
        return all().stream()
                .filter(process -> process.pid != ProcessHandle.current().pid())
                .filter(Proc::isAlive)
                .filter(process ->
                        process.read("cmdline").contains(text)
                                || process.read("environ").contains(text))
                .toList();
    }

    /** Whether its pid is not free: it runs, or is a zombie. */
    boolean exists() {
        return !stat().isEmpty();
    }

    /** Whether it runs; a zombie, which only waits for its parent to look, does not. */
    boolean isAlive() {
        List<String> stat = stat();
        return !stat.isEmpty() && !stat.getFirst().equals("Z") && !stat.getFirst().equals("X");
    }

    List<String> arguments() {
        return nulTerminated(read("cmdline"));
    }

    Map<String, String> environment() {
        Map<String, String> variables = new TreeMap<>();
        for (String entry : nulTerminated(read("environ"))) {
            int equals = entry.indexOf('=');
            if (equals > 0) {
                variables.put(entry.substring(0, equals), entry.substring(equals + 1));
            }
        }
        return variables;
    }

    long parent() {
        return number(1);
    }

    long session() {
        return number(3);
    }

    Path workingDirectory() {
        return link("cwd");
    }

    /** Where its open descriptors lead, by number. */
    Map<Integer, String> descriptors() {
        Map<Integer, String> open = new TreeMap<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(path("fd"))) {
            for (Path entry : entries) {
                String target = link(entry).toString();
                if (!target.isEmpty()) { // else it was closed meanwhile
                    open.put(Integer.valueOf(fileName(entry)), target);
                }
            }
        } catch (IOException e) {
            return Map.of();
        }
        return open;
    }

    /** How many descriptors it may have open. */
    long descriptorLimit() {
        return read("limits")
                .lines()
                .filter(line -> line.startsWith("Max open files"))
                .mapToLong(line -> Long.parseLong(line.split(" +", -1)[3]))
                .findFirst()
                .orElse(0);
    }

    /** The pids of the processes that it holds a pidfd of; -1 for one that was reaped. */
    List<Long> pidfds() {
        return descriptors().keySet().stream()
                .flatMap(descriptor -> read("fdinfo/" + descriptor).lines())
                .filter(line -> line.startsWith("Pid:"))
                .map(line -> Long.valueOf(line.substring("Pid:".length()).strip()))
                .toList();
    }

    /** How much memory it has in RAM. */
    long residentBytes() {
        return read("status")
                .lines()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElse(0);
    }

    int threads() {
        return read("status")
                .lines()
                .filter(line -> line.startsWith("Threads:"))
                .mapToInt(line -> Integer.parseInt(line.replaceAll("\\D", "")))
                .findFirst()
                .orElse(0);
    }

    /** How many processes it has started that are there, zombies too. */
    int children() {
        return (int) all().stream().filter(process -> process.parent() == pid).count();
    }

    /** Sends a signal, named without {@code SIG}. A process that has gone is no error. */
    void signal(String name) {
        Command.of("/bin/sh", "-c", "kill -s " + name + " " + pid).run();
    }

    /** Ends one that was started by {@link Container#startEndingWith}, without containerd. */
    void end() {
        signal("TERM");
        Wait.until(() -> "end of " + this, SOON, () -> !isAlive());
    }

    @Override
    public String toString() {
        return pid + " (" + String.join(" ", arguments()) + ")";
    }

    /**
     * The fields from the state on: what comes before may hold spaces, and ends with the last ')'.
     */
    private List<String> stat() {
        String text = read("stat");
        int end = text.lastIndexOf(')');
        return end < 0 ? List.of() : List.of(text.substring(end + 1).strip().split(" +", -1));
    }

    private long number(int field) {
        List<String> stat = stat();
        return stat.size() > field ? Long.parseLong(stat.get(field)) : -1;
    }

    private String read(String file) {
        try {
            return Files.readString(path(file), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    private Path link(String file) {
        return link(path(file));
    }

    private static Path link(Path path) {
        try {
            return Files.readSymbolicLink(path);
        } catch (IOException e) {
            return Path.of("");
        }
    }

    private Path path(String file) {
        return PROC.resolve(Long.toString(pid)).resolve(file);
    }

    private static List<String> nulTerminated(String text) {
        return text.isEmpty()
                ? List.of()
                : List.of(text.substring(0, text.length() - 1).split("\0", -1));
    }

    private static String fileName(Path path) {
        return String.valueOf(path.getFileName());
    }
}
