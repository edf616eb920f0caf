package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.registry.InitProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class NewProcessesTest {

    private static final ContainerKey TC = new ContainerKey("default", "tc");
    private static final long OWN = ProcessHandle.current().pid();

    private final NewProcesses processes = new NewProcesses(InstantSource.system());

    @Test
    void holdsAProcessUntilItIsTaken() throws Exception {
        processes.open();
        processes.created(TC, OWN, Instant.now());

        try (NewProcesses.Held held = processes.take(OWN)) {
            assertThat(held).isNotNull();
        }
        assertThat(processes.take(OWN)).isNull();
        assertThat(pidfds()).isZero();
    }

    @Test
    void carriesTheStartTimeForTheReportThatItWasReadFor() {
        Instant at = Instant.now();
        processes.open();
        processes.created(TC, OWN, at);

        assertThat(processes.process(OWN, at)).hasValue(InitProcess.of(OWN));
        assertThat(processes.process(OWN, at.minusNanos(1)))
                .as("an earlier process with its pid")
                .isEmpty();
        processes.discard(OWN);
        assertThat(processes.process(OWN, at)).isEmpty();
    }

    @Test
    void holdsNothingBeforeItIsOpenedAndAfterItIsClosed() throws Exception {
        processes.created(TC, OWN, Instant.now());
        assertThat(processes.take(OWN)).isNull();

        processes.open();
        processes.created(TC, OWN, Instant.now());
        processes.close();
        processes.created(TC, OWN, Instant.now());
        assertThat(processes.take(OWN)).isNull();
        assertThat(pidfds()).isZero();
    }

    @Test
    void givesBackWhatIsHeldTwiceOrDiscarded() throws Exception {
        processes.open();
        processes.created(TC, OWN, Instant.now());
        processes.created(TC, OWN, Instant.now());
        assertThat(pidfds()).isEqualTo(1);

        processes.discard(OWN);
        processes.discard(OWN);
        assertThat(pidfds()).isZero();
    }

    @Test
    void holdsNoProcessThatWasStartedAfterTheReport() throws Exception {
        processes.open();
        processes.created(TC, OWN, Instant.EPOCH);

        assertThat(processes.take(OWN)).isNull();
        assertThat(pidfds()).isZero();
    }

    @Test
    void holdsNoProcessThatIsNotThere() {
        processes.open();
        processes.created(TC, 4_194_304, Instant.now()); // the kernel's largest pid is one less

        assertThat(processes.take(4_194_304)).isNull();
    }

    /** Those of this process that lead to this process. */
    private static long pidfds() throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fdinfo"))) {
            return descriptors.toList().stream().filter(NewProcessesTest::isPidfd).count();
        }
    }

    private static boolean isPidfd(Path info) {
        try {
            return Files.readAllLines(info).contains("Pid:\t" + OWN);
        } catch (IOException _) {
            return false; // the one that listed the directory
        }
    }
}
