package io.tardis.listener;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The user database as the C library reads it (nsswitch.conf(5)). Layouts are those of Linux on 64
 * bits, with glibc and musl.
 *
 * <p>The functions return memory of their own, which the next call overwrites. Nothing else in this
 * process calls them: the JDK calls those that take a buffer.
 */
final class SystemUsers implements UserDatabase {

    private static final Path PASSWD = Path.of("/etc/passwd");
    private static final int PASSWD_FIELDS = 7;

    /**
     * {@code struct group}: name, password, gid, members; {@code struct passwd}: two names, uid.
     */
    private static final long NUMBER_OFFSET = 16;

    private static final long MEMBERS_OFFSET = 24;
    private static final long ENTRY_BYTES = 32;

    private static final SystemCall GETGRNAM = SystemCall.of("getgrnam");
    private static final SystemCall GETPWNAM = SystemCall.of("getpwnam");

    private static final Object LOCK = new Object();

    @Override
    public Optional<Entry> group(String name) {
        synchronized (LOCK) {
            return entry(GETGRNAM, name)
                    .map(it ->
                            new Entry(
                                    it.get(JAVA_INT, NUMBER_OFFSET),
                                    texts(it.get(JAVA_LONG, MEMBERS_OFFSET))));
        }
    }

    @Override
    public OptionalInt uid(String user) {
        synchronized (LOCK) {
            return entry(GETPWNAM, user).stream()
                    .mapToInt(it -> it.get(JAVA_INT, NUMBER_OFFSET))
                    .findAny();
        }
    }

    private static Optional<MemorySegment> entry(SystemCall function, String name) {
        try (Arena arena = Arena.ofConfined()) {
            long address = function.call(arena.allocateFrom(name).address());
            return address == 0 ? Optional.empty() : Optional.of(at(address, ENTRY_BYTES));
        } catch (SystemCall.Failure e) {
            throw new IllegalStateException("no pointer ends with 32 ones", e);
        }
    }

    /** The texts that an array of pointers leads to, which a null pointer ends. */
    private static List<String> texts(long array) {
        List<String> texts = new ArrayList<>();
        MemorySegment pointers = at(array, Long.MAX_VALUE);
        for (long i = 0; pointers.getAtIndex(JAVA_LONG, i) != 0; i++) {
            texts.add(at(pointers.getAtIndex(JAVA_LONG, i), Long.MAX_VALUE).getString(0));
        }
        return texts;
    }

    @SuppressWarnings("restricted") // the C library returns pointers
    private static MemorySegment at(long address, long size) {
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    /**
     * Only the machine's own file: to read all users of a network takes long, if it is possible.
     */
    @Override
    public List<Integer> usersOf(int gid) {
        try {
            return Files.readAllLines(PASSWD, StandardCharsets.ISO_8859_1).stream()
                    .map(line -> line.split(":", -1))
                    .filter(it -> it.length == PASSWD_FIELDS)
                    .filter(it -> it[3].equals(Integer.toUnsignedString(gid)))
                    .filter(it -> it[2].matches("[0-9]{1,10}"))
                    .map(it -> (int) Long.parseLong(it[2]))
                    .toList();
        } catch (IOException _) {
            return List.of();
        }
    }
}
