package io.tardis.core.event;

/** Where an exit status comes from. Travels as a fixed lower-case word. */
public enum ExitSource {
    /** containerd's {@code /tasks/exit} or {@code /tasks/delete}. */
    CONTAINERD("containerd"),
    /** The kernel, through a pidfd. */
    KERNEL("kernel"),
    /** The container's own containerd shim reported it, which waits for the process. */
    SHIM("shim"),

    /**
     * containerd made it up, because the container's shim was gone: 137 or 255, whatever the
     * process really did.
     */
    ASSUMED("assumed");

    private final String word;

    ExitSource(String word) {
        this.word = word;
    }

    /** The word on the wire. */
    public String word() {
        return word;
    }

    /**
     * The source that {@code word} names.
     *
     * @throws IllegalArgumentException if it names none
     */
    public static ExitSource parse(String word) {
        for (ExitSource source : values()) {
            if (source.word.equals(word)) {
                return source;
            }
        }
        throw new IllegalArgumentException("not an exit source: '" + word + "'");
    }
}
