package io.tardis.core.figures;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.figures.Figures.Exits;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Counts what a daemon does. The listener and the store call it for each exit, so a call takes less
 * than a microsecond, allocates nothing and waits for nobody. It counts whether or not somebody
 * reads it: {@code tardis status} may ask at any time.
 *
 * <p>Times are those of {@link System#nanoTime}, so that a step of the wall clock changes none. An
 * exit's message does not carry such a time, for it means nothing outside this process. So the
 * listener leaves the time of a report here, under the exit's number, and the store fetches it.
 */
public final class Meter {

    /**
     * How many reports are remembered until the store fetches them: more than it leaves in its
     * socket. A power of two.
     */
    private static final int REMEMBERED = 4_096;

    /** Stands for the time of a report that is not measured; no clock gets there. */
    private static final long UNTIMED = Long.MIN_VALUE;

    /** By namespace. */
    private final Map<String, ExitCounts> exits = new ConcurrentHashMap<>();

    private final ExitCounts otherExits = new ExitCounts();
    private final AtomicLong execExits = new AtomicLong();
    private final AtomicLong corrections = new AtomicLong();
    private final AtomicLong lost = new AtomicLong();
    private final AtomicLong gaps = new AtomicLong();
    private final Stopwatch witnessToPublish = new Stopwatch();
    private final Stopwatch eventToDisk = new Stopwatch();
    private volatile long openLives;

    /** At the place of an exit: its number, and behind it the time of its report. */
    private final AtomicLongArray reports = new AtomicLongArray(2 * REMEMBERED);

    /** Nothing is counted yet. */
    public Meter() {}

    /**
     * An exit is about to be published, for the first time. For the publisher's thread.
     *
     * @param event the exit
     * @param reportedNanos when a source reported that end first
     */
    public void published(ExitEvent event, long reportedNanos) {
        if (event.exit().isContainerExit()) {
            countsOf(event.exit().container().namespace()).add(event);
        } else {
            execExits.getAndIncrement();
        }
        if (event.source() == ExitSource.KERNEL || event.source() == ExitSource.SHIM) {
            witnessToPublish.add(System.nanoTime() - reportedNanos);
        }
        remember(event.seq(), reportedNanos);
    }

    /**
     * An exit is about to be published again, since more became known of the same end. The end was
     * counted before, by this daemon or an earlier one, and is not measured: the report came late,
     * and neither Tardis nor the disk was slow. For the publisher's thread.
     *
     * @param event the exit, with its new number
     */
    public void corrected(ExitEvent event) {
        corrections.getAndIncrement();
        remember(event.seq(), UNTIMED);
    }

    private void remember(long seq, long reportedNanos) {
        int at = placeOfReport(seq);
        reports.set(at, 0); // nobody takes the old number's time for the new one's
        reports.set(at + 1, reportedNanos);
        reports.set(at, seq);
    }

    /** A life was published as lost. */
    public void lost() {
        lost.getAndIncrement();
    }

    /** A gap was published. */
    public void gap() {
        gaps.getAndIncrement();
    }

    /** So many lives are open. */
    public void openLives(long count) {
        openLives = count;
    }

    /**
     * When the end was reported that the store has received now.
     *
     * @param seq the exit's number
     * @return what {@link #recorded} takes: the time of its report, or that it is a correction;
     *     now, if more than {@value #REMEMBERED} exits were published since
     */
    public long reportOf(long seq) {
        int at = placeOfReport(seq);
        boolean known = reports.get(at) == seq;
        long reported = reports.get(at + 1);
        return known && reports.get(at) == seq ? reported : System.nanoTime();
    }

    /**
     * An exit is on the disk.
     *
     * @param reportedNanos what {@link #reportOf} gave for it
     */
    public void recorded(long reportedNanos) {
        if (reportedNanos != UNTIMED) {
            eventToDisk.add(System.nanoTime() - reportedNanos);
        }
    }

    /**
     * All of it, with what the store alone knows. From any thread.
     *
     * @param unwritten as {@link Figures#unwritten}
     * @param dropped as {@link Figures#dropped}
     * @param databaseBytes as {@link Figures#databaseBytes}
     */
    public Figures read(long unwritten, long dropped, long databaseBytes) {
        List<Exits> all = new ArrayList<>();
        exits.forEach((namespace, counts) -> counts.read(namespace, all));
        otherExits.read(Figures.OTHER_NAMESPACES, all);
        all.sort(Comparator.comparing(Exits::namespace));
        return new Figures(
                all,
                execExits.get(),
                corrections.get(),
                lost.get(),
                gaps.get(),
                witnessToPublish.read(),
                eventToDisk.read(),
                openLives,
                unwritten,
                dropped,
                databaseBytes);
    }

    private ExitCounts countsOf(String namespace) {
        ExitCounts counts = exits.get(namespace);
        if (counts != null) {
            return counts;
        }
        // Whoever may create containers may name a namespace for each: the rest shares one place.
        if (exits.size() >= Figures.MAX_NAMESPACES || namespace.equals(Figures.OTHER_NAMESPACES)) {
            return otherExits;
        }
        return exits.computeIfAbsent(namespace, _ -> new ExitCounts());
    }

    private static int placeOfReport(long seq) {
        return 2 * (int) (seq & (REMEMBERED - 1));
    }
}
