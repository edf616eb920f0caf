package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ExitEvent;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.Usage;
import io.tardis.core.wire.Answer;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class DescribeTest {

    private static final Lives.Builder WEB = Lives.named("moby", Lives.ID, "web");
    private static final OptionalInt NO_SIGNAL = OptionalInt.empty();

    @Test
    void saysWhatACodeMeans() {
        assertThat(code(0, NO_SIGNAL, ExitSource.KERNEL)).isEqualTo("0 success");
        assertThat(code(3, NO_SIGNAL, ExitSource.KERNEL)).isEqualTo("exited 3");
        assertThat(code(139, OptionalInt.of(11), ExitSource.KERNEL)).isEqualTo("139 SIGSEGV");
        assertThat(code(162, OptionalInt.of(34), ExitSource.KERNEL)).isEqualTo("162 signal 34");
    }

    @Test
    void guessesASignalOnlyWhereTheSourceDoesNotReportSignals() {
        assertThat(code(143, NO_SIGNAL, ExitSource.CONTAINERD)).isEqualTo("143 probably SIGTERM");
        assertThat(code(137, NO_SIGNAL, ExitSource.SHIM)).isEqualTo("137 probably SIGKILL");
        assertThat(code(159, NO_SIGNAL, ExitSource.SHIM)).isEqualTo("159 probably SIGSYS");
        assertThat(code(137, NO_SIGNAL, ExitSource.KERNEL)).isEqualTo("exited 137");
        assertThat(code(128, NO_SIGNAL, ExitSource.CONTAINERD)).isEqualTo("exited 128");
        assertThat(code(255, NO_SIGNAL, ExitSource.CONTAINERD)).isEqualTo("exited 255");
        assertThat(code(137, NO_SIGNAL, ExitSource.ASSUMED))
                .isEqualTo("137, which containerd assumed");
    }

    @Test
    void saysHowMuchMemoryItHadWhenItWasKilledForIt() {
        ExitEvent event = WEB.withUsage().exit(1, 137, OptionalInt.of(9), true, ExitSource.KERNEL);

        assertThat(Describe.code(event))
                .isEqualTo("137 SIGKILL, out of memory: peak 511.8 of 512.0 MiB");
        assertThat(Describe.code(Events.killed(1, Events.TC)))
                .isEqualTo("137 SIGKILL, out of memory");
    }

    @Test
    void tellsAKilledChildFromTheProcessItself() {
        assertThat(Describe.code(WEB.exit(1, 0, NO_SIGNAL, true, ExitSource.KERNEL)))
                .isEqualTo("0 success, but a process of it was killed: out of memory");
        assertThat(Describe.code(WEB.exit(1, 3, NO_SIGNAL, true, ExitSource.KERNEL)))
                .isEqualTo("exited 3, but a process of it was killed: out of memory");
    }

    @Test
    void saysTheStatusInAWordOrTwo() {
        assertThat(Describe.status(WEB.running())).isEqualTo("running");
        assertThat(Describe.status(WEB.lost())).isEqualTo("lost");
        assertThat(Describe.status(WEB.exited(0))).isEqualTo("exited 0");
        assertThat(Describe.status(WEB.killed())).isEqualTo("killed SIGKILL");
        assertThat(Describe.status(WEB.outOfMemory())).isEqualTo("exited 137 (OOM)");
        assertThat(Describe.status(new Answer.Exited(WEB.exit(1, 1), false)))
                .isEqualTo("exited 1 (not on disk)");
        assertThat(
                        Describe.status(
                                new Answer.Exited(
                                        WEB.exit(1, 255, NO_SIGNAL, false, ExitSource.ASSUMED),
                                        true)))
                .isEqualTo("exited 255 (assumed)");
        assertThat(Describe.status(new Answer.Unknown(Events.TC))).isEqualTo("unknown");
    }

    @Test
    void saysWhatIsKnownOfMemory() {
        assertThat(Describe.memory(Usage.NOTHING)).isEmpty();
        assertThat(Describe.memory(WEB.withUsage().usage()))
                .isEqualTo(Optional.of("peak 511.8 of 512.0 MiB"));
    }

    private static String code(long code, OptionalInt signal, ExitSource source) {
        return Describe.code(WEB.exit(1, code, signal, false, source));
    }
}
