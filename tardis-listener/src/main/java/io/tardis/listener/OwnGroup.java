package io.tardis.listener;

import io.tardis.core.event.ContainerKey;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Which group of a process is its container's own. A container may move its first process into a
 * group below, as systemd and dockerd do; then its other processes are counted elsewhere.
 *
 * <p>Those who make groups name them after the container:
 *
 * <pre>
 * .../NS/ID             containerd's own default
 * .../ID                dockerd, the kubelet: an id that no other group has
 * .../PREFIX-ID.scope   the same below systemd; with a short id, PREFIX is the namespace
 * </pre>
 *
 * A short id alone is no proof: a container may be called {@code docker} or {@code default}.
 */
final class OwnGroup {

    /** As dockerd, nerdctl and containerd's CRI make them up. */
    private static final Pattern UNIQUE = Pattern.compile("[0-9a-f]{32,}");

    private static final String SCOPE = ".scope";

    private OwnGroup() {}

    /**
     * The container's group, which the path is or is below; empty if none is surely the
     * container's.
     *
     * @param path of a process's group
     * @param ours of the daemon's own group: one that is or holds that is not the container's
     */
    static Optional<String> in(String path, ContainerKey container, String ours) {
        String above = "";
        int end;
        for (int start = 1; start < path.length(); start = end + 1) {
            end = path.indexOf('/', start);
            end = end < 0 ? path.length() : end;
            String name = path.substring(start, end);
            String group = path.substring(0, end);
            if (isOf(container, name, above) && !(ours + "/").startsWith(group + "/")) {
                return Optional.of(group);
            }
            above = name;
        }
        return Optional.empty();
    }

    private static boolean isOf(ContainerKey container, String name, String above) {
        String id = container.id();
        if (UNIQUE.matcher(id).matches()) {
            return name.equals(id) || name.endsWith("-" + id + SCOPE);
        }
        return name.equals(id)
                ? above.equals(container.namespace())
                : name.equals(container.namespace() + "-" + id + SCOPE);
    }
}
