package io.tardis.listener;

import io.tardis.core.event.About;
import io.tardis.core.event.ExitSource;
import io.tardis.core.event.LifeDetails;
import io.tardis.core.event.LifeRef;
import io.tardis.core.event.TaskExit;
import io.tardis.core.event.Usage;
import io.tardis.core.registry.InitProcess;
import io.tardis.core.registry.Life;
import io.tardis.listener.CtrEvent.TaskProcess;
import io.tardis.listener.Fate.End;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;

/** One life, and how far it has come. For the thread of {@link Lives}. */
final class TrackedLife {

    /**
     * A shim reports a start when {@code runc start} has returned, and a short process has ended by
     * then: of 50 that ran {@code true}, 7 by up to 1.2 ms (containerd 1.6.20). A pid cannot come
     * round to the same container in this time. The kernel's and containerd's times of one exit
     * differ by less, too.
     */
    private static final Duration SAME = Duration.ofSeconds(2);

    /** A launcher notes a call when it gives up. It waits no longer than this. */
    private static final Duration LONGEST_CALL = Duration.ofSeconds(30);

    /**
     * What containerd reports for a process whose shim is gone: 128 + SIGKILL, or 255 if even its
     * clean-up failed.
     */
    private static final long MADE_UP_KILLED = 137;

    private static final long MADE_UP_UNKNOWN = 255;

    Life life;

    /** Whether its end is stored. */
    boolean kept;

    /** Whether the registry has it until it is deleted. */
    boolean registered;

    /** Whether the shim has begun it, and could not register it. */
    boolean unregistered;

    /** Whether its begin is published. */
    boolean begun;

    boolean deleted;

    /** When it was deleted at the latest, where the shim knows that only afterwards. */
    Instant until = Instant.MAX;

    boolean oomKilled;

    /** By containerd's word; blank until its create has come, and where that does not name one. */
    String image = "";

    /** What is published with its begin and its end; after that, nothing. */
    LifeDetails details = LifeDetails.NONE;

    Fate fate = new Fate.Open();

    /** The number of its exit. */
    OptionalLong seq = OptionalLong.empty();

    TrackedLife(Life life, boolean kept, boolean registered) {
        this.life = life;
        this.kept = kept;
        this.registered = registered;
    }

    LifeRef ref() {
        return new LifeRef(life.id(), life.createdAt(), kept);
    }

    /** Its begin is published next, with who it is. */
    void begin(About about) {
        begun = true;
        details = new LifeDetails(life.init().map(_ -> life.createdAt()), about, Usage.NOTHING);
    }

    /** Its bundle is reported; that of a life from before a restart is not known. */
    void noteBundle(Path bundle) {
        if (life.bundle().toString().isEmpty()) {
            life = life.withBundle(bundle);
        }
    }

    /** Takes over the kernel's count of kills for memory; false if it could not be read. */
    boolean noteOomKills() {
        OptionalLong kills = details.usage().oomKills();
        kills.ifPresent(it -> oomKilled = it > 0);
        return kills.isPresent();
    }

    /** Whether nothing of its end is published. */
    boolean isUnpublished() {
        return isOpen() || fate instanceof Fate.Held;
    }

    boolean isOpen() {
        return fate instanceof Fate.Open;
    }

    /** Whether nobody will ask for it, and it is only remembered for reports that come late. */
    boolean isDone() {
        return !kept || (!isOpen() && (deleted || !registered));
    }

    /** Whether the shim may have missed its create at {@code at}. */
    boolean mayHaveBegun(Instant at, Instant until, Path bundle) {
        return !registered
                && !life.createdAt().isBefore(unregistered ? at.minus(LONGEST_CALL) : at)
                && !life.createdAt().isAfter(until)
                && mayHave(bundle);
    }

    /** Whether the process that was reported may be its own, which nobody has reported yet. */
    boolean mayBegin(TaskProcess report) {
        return isOpen() && life.init().isEmpty() && mayHave(report.bundle());
    }

    /** Whether it is open, and was created after the report: that is of the life before. */
    boolean isAfter(TaskProcess report) {
        return registered && isOpen() && report.at().isBefore(life.createdAt());
    }

    /** Whether its bundle is this one, as far as both are known. */
    private boolean mayHave(Path bundle) {
        return bundle.toString().isEmpty()
                || life.bundle().toString().isEmpty()
                || life.bundle().equals(bundle);
    }

    boolean hasPid(long pid) {
        return life.init().filter(it -> it.pid() == pid).isPresent();
    }

    /** Whether it is the life of a process that was reported to be there at {@code at}. */
    boolean hasProcess(InitProcess process, Instant at) {
        if (!hasPid(process.pid())) {
            return false;
        }
        OptionalLong before = life.init().map(InitProcess::startTime).orElse(OptionalLong.empty());
        boolean areComparable = before.isPresent() && process.startTime().isPresent();
        if (fate instanceof Fate.Lost || (areComparable && !before.equals(process.startTime()))) {
            return areComparable && before.equals(process.startTime());
        }
        return fate.known().filter(it -> !it.exit().exitedAt().isAfter(at.minus(SAME))).isEmpty();
    }

    /** Whether its exit may still be reported, by the pid of its process. */
    boolean awaitsEndOf(long pid) {
        return hasPid(pid) && fate.known().isEmpty();
    }

    /** Whether an exit can be its end, of which no source has reported the process. */
    boolean mayEndWith(TaskExit exit) {
        return life.init().isEmpty()
                && fate.known().filter(it -> it.source() != ExitSource.ASSUMED).isEmpty()
                && !deleted // it never had a process, or nobody knew which
                && !exit.exitedAt().isBefore(life.createdAt())
                && !exit.exitedAt().isAfter(until);
    }

    /**
     * Whether it is the exit of this life once more, and not one of a life that nobody reported.
     */
    boolean hasEndedWith(TaskExit exit) {
        Optional<End> end = fate.known();
        if (!hasPid(exit.pid()) || end.isEmpty()) {
            return false;
        }
        Duration after = Duration.between(end.get().exit().exitedAt(), exit.exitedAt());
        // The kernel's report has the time when it was read, which may be late.
        boolean isByKernel = end.get().source() == ExitSource.KERNEL;
        return (after.compareTo(SAME) <= 0 && (isByKernel || after.compareTo(SAME.negated()) >= 0))
                || exit.exitStatus() == MADE_UP_KILLED
                || exit.exitStatus() == MADE_UP_UNKNOWN;
    }

    /** Whether its process runs beside the one that ended: that was an exec, whatever its name. */
    boolean runsBeside(long pid) {
        return isOpen() && life.init().filter(it -> it.pid() != pid && it.exists()).isPresent();
    }

    /** Where an exit of this life, as containerd reports it, comes from. */
    ExitSource sourceOf(TaskExit exit) {
        boolean unknown = exit.exitStatus() == MADE_UP_UNKNOWN;
        // Without a pid containerd knows nothing; after a forced delete it makes the status up.
        boolean isMadeUp =
                (unknown && exit.pid() == 0)
                        || ((unknown || exit.exitStatus() == MADE_UP_KILLED)
                                && life.forceDeleted());
        return isMadeUp ? ExitSource.ASSUMED : ExitSource.CONTAINERD;
    }
}
