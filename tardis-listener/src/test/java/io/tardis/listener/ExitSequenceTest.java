package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.SetupException;
import io.tardis.testkit.CapturedLog;
import io.tardis.testkit.ChildJvm;
import io.tardis.testkit.HandClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

class ExitSequenceTest {

    private static final String ANOTHER_BOOT = "0f2b6c1e-1234-4abc-8def-0123456789ab";

    @TempDir private Path stateDir;
    private Path file;
    private final HandClock clock = new HandClock();

    @BeforeEach
    void nameTheFile() {
        file = stateDir.resolve("event_listener.seq");
    }

    @ParameterizedTest
    @ValueSource(strings = {"removed", "replaced", "a directory"})
    void goesOnWhereItsFileIsNotInItsPlace(String what) throws IOException {
        long last;
        try (CapturedLog log = new CapturedLog(ExitSequence.class);
                ExitSequence sequence = open()) {
            sequence.keepInPlace(clock);
            assertThat(log.at(Level.WARN)).isEmpty();
            Files.delete(file);
            if (what.equals("replaced")) {
                Files.writeString(file, "precious");
            } else if (what.equals("a directory")) {
                Files.createDirectory(file);
            }

            sequence.keepInPlace(clock);
            clock.move(Duration.ofDays(-1000));
            last = sequence.next();

            assertThat(log.at(Level.WARN)).hasSize(1);
        }
        try (ExitSequence sequence = open()) {
            assertThat(sequence.last()).isEqualTo(last);
        }
        try (Stream<Path> files = Files.list(stateDir)) {
            assertThat(files).hasSize(what.equals("removed") ? 1 : 2);
        }
    }

    @Test
    void beginsAtTheClockAndGrowsByOne() {
        long micros = clock.millis() * 1000;
        try (ExitSequence sequence = open()) {
            assertThat(sequence.last()).isEqualTo(micros);
            assertThat(sequence.next()).isEqualTo(micros + 1);
            assertThat(sequence.next()).isEqualTo(micros + 2);
            assertThat(sequence.last()).isEqualTo(micros + 2);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {-100_000, -1, 0, 1, 100_000})
    void goesOnExactlyAfterTheEndWhateverTheClockSays(long hours) {
        long last = take(3);
        clock.move(Duration.ofHours(hours));

        try (ExitSequence sequence = open()) {
            assertThat(sequence.last()).isEqualTo(last);
            assertThat(sequence.next()).isEqualTo(last + 1);
        }
    }

    /** The file was lost, the exit log was not, and the clock has been set back. */
    @Test
    void goesOnAfterWhatIsRecordedIfThatIsFurtherOn() {
        try (ExitSequence sequence = open()) {
            long recorded = sequence.last() + 5_000_000;

            sequence.goOnAfter(recorded);
            assertThat(sequence.next()).isEqualTo(recorded + 1);
            sequence.goOnAfter(recorded - 1);
            assertThat(sequence.next()).isEqualTo(recorded + 2);
        }
        try (ExitSequence sequence = open()) {
            assertThat(sequence.last()).isGreaterThan(clock.millis() * 1000 + 5_000_000);
        }
    }

    @Test
    void neverGoesBackWhenTheClockDoes() {
        try (ExitSequence sequence = open()) {
            long before = sequence.next();
            clock.move(Duration.ofDays(-10_000));
            assertThat(sequence.next()).isEqualTo(before + 1);
        }
    }

    @Test
    void goesOnExactlyAfterSigkill() throws Exception {
        long last;
        try (ChildJvm child = ChildJvm.start(SequenceTaker.class, stateDir.toString(), "12345")) {
            last = Long.parseLong(child.line());
            child.kill();
        }

        try (ExitSequence sequence = open()) {
            assertThat(sequence.last()).isEqualTo(last);
            assertThat(sequence.next()).isEqualTo(last + 1);
        }
    }

    @Test
    void jumpsToWhatWasReservedAfterAnotherBoot() throws IOException {
        long given = crash(5);
        inFile(1, ANOTHER_BOOT);

        try (ExitSequence sequence = open()) {
            assertThat(sequence.next()).isGreaterThan(given).isLessThanOrEqualTo(given + 1_000_001);
        }
    }

    @Test
    void jumpsOncePerBootAndNotPerStart() throws IOException {
        crash(5);
        inFile(1, ANOTHER_BOOT);
        long afterBoot = crash(1);

        assertThat(take(1)).isEqualTo(afterBoot + 1);
    }

    @Test
    void doesNotJumpAfterAnotherBootThatFollowedAnOrderlyEnd() throws IOException {
        long last = take(5);
        inFile(1, ANOTHER_BOOT);

        assertThat(take(1)).isEqualTo(last + 1);
    }

    @Test
    void reservesAgainBeforeANumberBeyondTheReservationIsGiven() throws IOException {
        long last = take(1);
        inFile(2, digits(last + 3));
        try (ExitSequence sequence = open()) {
            for (int i = 0; i < 10; i++) {
                long number = sequence.next();

                assertThat(Long.parseLong(linesOfFile().get(2))).isGreaterThan(number);
                assertThat(Long.parseLong(linesOfFile().get(3))).isEqualTo(number + 1);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "\n",
                "1732330000123001\n",
                "tardis-seq 2\nsomething newer\n",
                "tardis-seq 1\n0f2b6c1e-1234-4abc-8def-0123456789ab\n09999999999999999999\n09999999999999999999\n",
                "tardis-seq 1\n0f2b6c1e-1234-4abc-8def-0123456789ab\n-0000000000000000001\n00000000000000000001\n",
            })
    void setsAForeignFileAsideAndBeginsAtTheClock(String content) throws IOException {
        Files.writeString(file, content);

        try (CapturedLog log = new CapturedLog(ExitSequence.class);
                ExitSequence sequence = open()) {
            assertThat(sequence.last()).isEqualTo(clock.millis() * 1000);
            assertThat(setAside()).singleElement().satisfies(it -> hasContent(it, content));
            assertThat(log.at(Level.ERROR))
                    .singleElement()
                    .asString()
                    .contains(file.toString(), setAside().getFirst().toString());
        }
    }

    @Test
    void setsATornFileAsideWhereverItIsTorn() throws IOException {
        take(1);
        String whole = Files.readString(file);
        try (CapturedLog log = new CapturedLog(ExitSequence.class)) {
            for (int length = 0; length < whole.length(); length++) {
                String torn = whole.substring(0, length);
                Files.writeString(file, torn);
                clock.move(Duration.ofMillis(1)); // names the file that is set aside

                try (ExitSequence sequence = open()) {
                    assertThat(sequence.last())
                            .as("torn after %s", length)
                            .isEqualTo(clock.millis() * 1000);
                }
            }
            assertThat(log.at(Level.ERROR)).hasSize(whole.length());
        }
        assertThat(setAside()).hasSize(whole.length());
    }

    @Test
    void asksForTheSetupToBeMendedWhereTheFileCannotBeOne() throws IOException {
        Files.createDirectory(file);

        assertThatThrownBy(this::open)
                .isInstanceOf(SetupException.class)
                .hasMessageContaining(file.toString());
    }

    @Test
    void countsOnInMemoryWhenTheFileCannotBeWritten() {
        ExitSequence sequence = open();
        long last = sequence.next();
        sequence.close(); // any write fails from here on
        try (CapturedLog log = new CapturedLog(ExitSequence.class)) {
            assertThat(sequence.next()).isEqualTo(last + 1);
            assertThat(sequence.next()).isEqualTo(last + 2);
            assertThat(log.at(Level.ERROR)).as("logged once").hasSize(1);
        }
    }

    @Test
    void mayBeClosedTwice() {
        ExitSequence sequence = open();
        long last = sequence.next();
        try (CapturedLog log = new CapturedLog(ExitSequence.class)) {
            sequence.close();
            sequence.close();
            assertThat(log.at(Level.WARN)).isEmpty();
        }
        assertThat(take(1)).isEqualTo(last + 1);
    }

    private ExitSequence open() {
        return ExitSequence.open(stateDir, clock);
    }

    /** Takes numbers and ends in order; returns the last one. */
    private long take(int count) {
        try (ExitSequence sequence = open()) {
            return next(sequence, count);
        }
    }

    /** The same, and ends without closing the sequence. */
    private long crash(int count) {
        return next(open(), count);
    }

    private static long next(ExitSequence sequence, int count) {
        for (int i = 0; i < count; i++) {
            sequence.next();
        }
        return sequence.last();
    }

    private List<String> linesOfFile() throws IOException {
        return Files.readAllLines(file);
    }

    private void inFile(int line, String text) throws IOException {
        List<String> lines = linesOfFile();
        lines.set(line, text);
        Files.write(file, lines);
    }

    private static String digits(long number) {
        return "%020d".formatted(number);
    }

    private List<Path> setAside() throws IOException {
        try (Stream<Path> files = Files.list(stateDir)) {
            return files.filter(it -> it.getFileName().toString().contains(".foreign-")).toList();
        }
    }

    private static void hasContent(Path file, String content) throws IOException {
        assertThat(Files.readString(file)).isEqualTo(content);
    }
}
