package io.tardis.core.wire;

import io.tardis.core.event.ContainerKey;
import io.tardis.core.event.TaskExit;

/**
 * The first frame of a published message. It always ends with a {@code /}, so that a subscriber to
 * {@code /tasks/exit/default/tc/} gets every exit of {@code tc}, and none of {@code tc2}.
 */
public final class Topic {

    /** The prefix of all containers' own exits. */
    public static final String EXIT = "/tasks/exit/";

    /** The prefix of all exec'd processes' exits. */
    public static final String EXEC_EXIT = "/tasks/exec-exit/";

    /** Sent at regular times, with the number of the last exit. */
    public static final String HEARTBEAT = "/tardis/heartbeat/";

    /** Sent when events may have been missed. */
    public static final String GAP = "/tardis/gap/";

    /** The prefix of the lives that begin. */
    public static final String BEGUN = "/tardis/begun/";

    /** The prefix of the lives whose ends nobody could observe. */
    public static final String LOST = "/tardis/lost/";

    private Topic() {}

    /** {@code /tasks/exit/NS/ID/}: the container's own exits. */
    public static String exitOf(ContainerKey container) {
        return EXIT + container + "/";
    }

    /** The topic that {@code exit} is published under. */
    public static String of(TaskExit exit) {
        return exit.isContainerExit()
                ? exitOf(exit.container())
                : EXEC_EXIT + exit.container() + "/" + exit.id() + "/";
    }
}
