package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;

/**
 * Two enabled containers that run: when they are ended, one exits with 0 and the other with {@link
 * #BAD}.
 *
 * @param node records them
 * @param inits their first processes, as long as containerd could be asked for them
 */
record Pair(TardisNode node, Container good, Container bad, List<Proc> inits) {

    /** The code of the one that ends badly. */
    static final int BAD = 5;

    Pair {
        inits = List.copyOf(inits);
    }

    /** Starts two containers with ids that no other test of the lab has. */
    static Pair start(Lab lab) {
        Container good = lab.freshContainer().enabled();
        Container bad = lab.freshContainer().enabled();
        good.startEndingWith(0);
        bad.startEndingWith(BAD);
        List<Proc> inits =
                Stream.of(good, bad).map(it -> lab.containerd().initOf(it).orElseThrow()).toList();
        return new Pair(lab.tardis(), good, bad, inits);
    }

    /** Ends both by containerd, which reports that. */
    void end() {
        good.end();
        bad.end();
    }

    /** Ends both without containerd, which may be down. */
    void endInits() {
        inits.forEach(Proc::end);
    }

    /** Waits until both have ended, without containerd. */
    void awaitEnds() {
        Wait.until("ends of " + inits, SOON, () -> inits.stream().noneMatch(Proc::exists));
    }

    /** {@code tardis wait} for the one that ends badly, beside the test. */
    LiveProcess waitForBad() {
        return node.waitFor(bad);
    }

    /** Waits until the waiter for the one that ends badly has printed its code and nothing else. */
    static void assertAnswered(LiveProcess waiting) {
        assertThat(waiting.awaitExit(SOON)).as(waiting.output()).isEqualTo(0);
        assertThat(waiting.output()).isEqualTo(BAD + "\n");
    }

    /** Waits until the right codes of both are answered. */
    void awaitCodes() {
        node.awaitCode(good, 0, SOON);
        node.awaitCode(bad, BAD, SOON);
    }

    /** Removes both, and checks that containerd had the right codes. */
    void remove() {
        assertThat(good.remove()).isEqualTo(0);
        assertThat(bad.remove()).isEqualTo(BAD);
    }

    /** The same after an outage of containerd in which their processes ended. */
    void removeAfterOutage() {
        good.removeAfterOutage(0);
        bad.removeAfterOutage(BAD);
    }

    /** Right after the deletes: nothing is left of the one, all of the other, as is right. */
    void assertCleanedAndKept() {
        assertThat(node.isCleaned(good)).as("%s is cleaned up", good).isTrue();
        assertThat(node.isKept(bad)).as("%s is kept", bad).isTrue();
    }

    /** After deletes that came before the codes were known. */
    void assertBothKept() {
        assertThat(node.isKept(good)).as("%s is kept", good).isTrue();
        assertThat(node.isKept(bad)).as("%s is kept", bad).isTrue();
    }

    void assertEachPublishedOnce() {
        assertThat(node.published(good)).hasSize(1);
        assertThat(node.published(bad)).hasSize(1);
    }
}
