package io.tardis.core.event;

/**
 * A container's identity: its containerd namespace and its id.
 *
 * <p>Both follow containerd's rule for identifiers ({@code pkg/identifiers/validate.go}, containerd
 * 1.6): {@code [A-Za-z0-9]+([._-][A-Za-z0-9]+)*}, at most 76 characters. So neither can hold a
 * {@code /}, start with a dot or leave the directory that it names, and an invalid key cannot
 * exist.
 *
 * @param namespace the containerd namespace, {@code default} or {@code k8s.io} for instance
 * @param id the container's id
 */
public record ContainerKey(String namespace, String id) implements Comparable<ContainerKey> {

    /** The longest identifier that containerd accepts, in characters. */
    public static final int MAX_IDENTIFIER_LENGTH = 76;

    public ContainerKey {
        if (!isIdentifier(namespace)) {
            throw new IllegalArgumentException("not a containerd namespace: '" + namespace + "'");
        }
        if (!isIdentifier(id)) {
            throw new IllegalArgumentException("not a container id: '" + id + "'");
        }
    }

    /**
     * Whether containerd would accept {@code text} as the name of a namespace, a container or an
     * exec.
     *
     * @param text any text
     */
    public static boolean isIdentifier(String text) {
        if (text.isEmpty() || text.length() > MAX_IDENTIFIER_LENGTH) {
            return false;
        }
        boolean afterSeparator = true;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (isAsciiLetterOrDigit(c)) {
                afterSeparator = false;
            } else if ((c == '.' || c == '_' || c == '-') && !afterSeparator) {
                afterSeparator = true;
            } else {
                return false;
            }
        }
        return !afterSeparator;
    }

    @Override
    public int compareTo(ContainerKey other) {
        int byNamespace = namespace.compareTo(other.namespace);
        return byNamespace != 0 ? byNamespace : id.compareTo(other.id);
    }

    /** {@code NS/ID}, as every command and log line of Tardis writes it. */
    @Override
    public String toString() {
        return namespace + "/" + id;
    }

    private static boolean isAsciiLetterOrDigit(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }
}
