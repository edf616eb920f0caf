package io.tardis.core.figures;

import io.tardis.core.figures.Figures.Distribution;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.LongStream;

/** Collects how long something takes. From any thread; nobody waits for anybody. */
final class Stopwatch {

    private static final double NANOS = 1e9;
    private static final long[] BOUNDS =
            Distribution.bounds().stream().mapToLong(it -> Math.round(it * NANOS)).toArray();

    private final AtomicLongArray counts = new AtomicLongArray(BOUNDS.length + 1);
    private final AtomicLong sumNanos = new AtomicLong();

    void add(long nanos) {
        int bucket = 0;
        while (bucket < BOUNDS.length && nanos > BOUNDS[bucket]) {
            bucket++;
        }
        counts.getAndIncrement(bucket);
        sumNanos.getAndAdd(nanos);
    }

    /** What was collected; a time that is added meanwhile may be in its sum only. */
    Distribution read() {
        double sum = sumNanos.get() / NANOS;
        List<Long> read =
                LongStream.range(0, counts.length())
                        .map(it -> counts.get((int) it))
                        .boxed()
                        .toList();
        return new Distribution(read, sum);
    }
}
