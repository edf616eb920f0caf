package io.tardis.cli;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot.InfoDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.tardis.core.figures.Figures;
import io.tardis.core.figures.Figures.Distribution;
import io.tardis.core.figures.Figures.Exits;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * The figures as metrics of Prometheus. They are counted in {@code Meter} and not here, because
 * {@code tardis status} prints them whether or not there is a scrape. All values of one scrape are
 * read together. The README's table is checked against the names.
 */
final class PrometheusFigures implements MultiCollector {

    private final Supplier<Figures> figures;

    /**
     * A collector.
     *
     * @param figures called once for each scrape, from any thread
     */
    PrometheusFigures(Supplier<Figures> figures) {
        this.figures = figures;
    }

    @Override
    public MetricSnapshots collect() {
        Figures now = figures.get();
        return MetricSnapshots.of(
                build(),
                exits(now.exits()),
                counter(
                        "tardis_exec_exits",
                        "Published ends of exec'd processes.",
                        now.execExits()),
                counter(
                        "tardis_corrections",
                        "Exits published again, because more became known of the end.",
                        now.corrections()),
                counter("tardis_lost", "Lives whose end nobody observed.", now.lost()),
                counter("tardis_gaps", "Times in which events may have been missed.", now.gaps()),
                counter(
                        "tardis_dropped_exits",
                        "Exits given up, because memory for them is limited.",
                        now.dropped()),
                gauge(
                        "tardis_unwritten_exits",
                        "Exits in memory only, because the disk cannot be written.",
                        now.unwritten()),
                gauge(
                        "tardis_open_lives",
                        "Open lives whose end is to be recorded, up to 5 s ago.",
                        now.openLives()),
                gauge(
                        "tardis_database_bytes",
                        "Size of exits.db and its write-ahead log.",
                        now.databaseBytes()),
                histogram(
                        "tardis_witness_to_publish_seconds",
                        "From the kernel's or a shim's report of an end to its publication.",
                        now.witnessToPublish()),
                histogram(
                        "tardis_event_to_disk_seconds",
                        "From the first report of an end to its commit on the disk.",
                        now.eventToDisk()));
    }

    private static MetricSnapshot build() {
        return InfoSnapshot.builder()
                .name("tardis_build")
                .help("The version of Tardis.")
                .dataPoint(
                        InfoDataPointSnapshot.builder()
                                .labels(Labels.of("version", Version.text()))
                                .build())
                .build();
    }

    private static MetricSnapshot exits(List<Exits> exits) {
        CounterSnapshot.Builder counters =
                CounterSnapshot.builder()
                        .name("tardis_exits")
                        .help("Published ends of containers, each once.");
        for (Exits each : exits) {
            Labels labels =
                    Labels.of(
                            "namespace",
                            each.namespace(),
                            "code",
                            each.code().word(),
                            "oom",
                            Boolean.toString(each.oomKilled()),
                            "source",
                            each.source().word());
            counters.dataPoint(
                    CounterDataPointSnapshot.builder()
                            .labels(labels)
                            .value((double) each.count())
                            .build());
        }
        return counters.build();
    }

    private static MetricSnapshot counter(String name, String help, long value) {
        return CounterSnapshot.builder()
                .name(name)
                .help(help)
                .dataPoint(CounterDataPointSnapshot.builder().value((double) value).build())
                .build();
    }

    private static MetricSnapshot gauge(String name, String help, long value) {
        return GaugeSnapshot.builder()
                .name(name)
                .help(help)
                .dataPoint(GaugeDataPointSnapshot.builder().value((double) value).build())
                .build();
    }

    private static MetricSnapshot histogram(String name, String help, Distribution times) {
        List<Double> bounds = new ArrayList<>(Distribution.bounds());
        bounds.add(Double.POSITIVE_INFINITY);
        return HistogramSnapshot.builder()
                .name(name)
                .help(help)
                .dataPoint(
                        HistogramDataPointSnapshot.builder()
                                .classicHistogramBuckets(
                                        ClassicHistogramBuckets.of(bounds, times.counts()))
                                .sum(times.sumSeconds())
                                .build())
                .build();
    }
}
