package io.tardis.core.registry;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A container's first process. A pid is given again after its process was reaped; together with the
 * time of the process's start it names one process.
 *
 * @param pid its pid in the host's pid namespace
 * @param startTime when it was started, in clock ticks since the machine was booted (field 22 of
 *     {@code /proc/PID/stat}, proc(5)); empty if that could not be read
 */
public record InitProcess(long pid, OptionalLong startTime) {

    private static final int START_TIME_AFTER_NAME = 19;

    /** The kernel's USER_HZ, the same on all machines that containerd runs on. */
    private static final int TICKS_PER_SECOND = 100;

    /** The kernel's start times have steps of 10 ms, and so has its uptime. */
    private static final Duration STEP = Duration.ofMillis(50);

    /**
     * The process that has {@code pid} now.
     *
     * @throws UncheckedIOException if it cannot be looked at now, for want of descriptors
     */
    public static InitProcess of(long pid) {
        return new InitProcess(pid, readStartTime(pid));
    }

    /**
     * The process that has {@code pid} now; without its start time where it is gone, or was started
     * after {@code at}: then it is another one than had the pid at that time.
     *
     * @throws UncheckedIOException if it cannot be looked at now, for want of descriptors
     */
    public static InitProcess of(long pid, Instant at, InstantSource clock) {
        InitProcess now = of(pid);
        boolean isLater = now.startedAt(clock).filter(it -> it.isAfter(at.plus(STEP))).isPresent();
        return isLater ? new InitProcess(pid, OptionalLong.empty()) : now;
    }

    /**
     * Whether this process is there, running or as a zombie. One whose start time is not known is
     * taken for gone: its pid may be another process's by now.
     *
     * @throws UncheckedIOException if that cannot be read now, for want of descriptors
     */
    public boolean exists() {
        return startTime.isPresent() && startTime.equals(readStartTime(pid));
    }

    /**
     * When this process was started, by today's wall clock, in steps of some 10 ms; empty if its
     * start time is not known.
     *
     * @throws UncheckedIOException if that cannot be read now
     */
    public Optional<Instant> startedAt(InstantSource clock) {
        if (startTime.isEmpty()) {
            return Optional.empty();
        }
        String uptime;
        try {
            uptime = Files.readString(Path.of("/proc/uptime"), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        double seconds = Double.parseDouble(uptime.split(" ", 2)[0]);
        long age = Math.round(seconds * TICKS_PER_SECOND) - startTime.getAsLong();
        return Optional.of(clock.instant().minusMillis(age * (1_000 / TICKS_PER_SECOND)));
    }

    /**
     * Whether this process runs: it is there, and is no zombie.
     *
     * @throws UncheckedIOException if that cannot be read now, for want of descriptors
     */
    public boolean isRunning() {
        return startTime.isPresent()
                && readStat(pid)
                        .filter(it -> startTimeOf(it).equals(startTime))
                        .filter(it -> !it[0].equals("Z") && !it[0].equals("X"))
                        .isPresent();
    }

    private static OptionalLong readStartTime(long pid) {
        return readStat(pid).map(InitProcess::startTimeOf).orElse(OptionalLong.empty());
    }

    private static OptionalLong startTimeOf(String[] stat) {
        return OptionalLong.of(Long.parseLong(stat[START_TIME_AFTER_NAME]));
    }

    /**
     * The fields of {@code /proc/PID/stat} from the third on; empty if there is no such process.
     */
    private static Optional<String[]> readStat(long pid) {
        try {
            String stat =
                    Files.readString(
                            Path.of("/proc", Long.toString(pid), "stat"),
                            StandardCharsets.ISO_8859_1);
            // Its second field is the program's name in parentheses, which may hold anything.
            return Optional.of(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1));
        } catch (NoSuchFileException e) {
            return Optional.empty(); // there is no such process
        } catch (FileSystemException e) {
            throw new UncheckedIOException(e); // it cannot be opened
        } catch (IOException e) {
            return Optional.empty(); // it went while it was read
        }
    }
}
