package io.tardis.listener;

import io.tardis.core.FailureLog;
import io.tardis.core.Readers;
import io.tardis.core.SetupException;
import io.tardis.core.Worker;
import io.tardis.core.config.Access;
import io.tardis.core.config.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * Root, the daemon's user, and the members of a group.
 *
 * <p>A connection names a user, and no groups. So the members are read every ten seconds, by a
 * thread of its own: user databases may be on a network. No client can make it read more often.
 */
public final class LocalReaders implements Readers, AutoCloseable {

    private static final Duration REFRESH = Duration.ofSeconds(10);
    private static final Path OVERFLOW = Path.of("/proc/sys/kernel/overflowuid");
    private static final int ROOT = 0;

    private final UserDatabase users;
    private final Optional<Group> group;
    private final int own;
    private final int overflow;
    private final Worker worker = new Worker("tardis-listener-readers", this::run);
    private final FailureLog failures = new FailureLog(LocalReaders.class);
    private volatile Set<Integer> members = Set.of();

    LocalReaders(UserDatabase users, Access access, int own, int overflow) {
        this.users = users;
        this.group = group(users, access);
        this.own = own;
        this.overflow = overflow;
        refresh();
    }

    /**
     * Reads the members once.
     *
     * @throws SetupException if the group is set and does not exist
     */
    public static LocalReaders open(Access access) {
        try {
            int own = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
            int overflow = Integer.parseUnsignedInt(Files.readString(OVERFLOW).strip());
            return new LocalReaders(new SystemUsers(), access, own, overflow);
        } catch (IOException e) {
            throw new SetupException("it cannot be found out whose this process is: " + e, e);
        }
    }

    /**
     * The group whose members may read; empty if there is none.
     *
     * @throws SetupException if it is set and does not exist
     */
    public static Optional<Group> group(Access access) {
        return group(new SystemUsers(), access);
    }

    private static Optional<Group> group(UserDatabase users, Access access) {
        Optional<String> name =
                access.defaultGroup() ? Optional.of(Access.DEFAULT_GROUP) : access.group();
        Optional<Group> group =
                name.flatMap(it -> users.group(it).map(entry -> new Group(it, entry.gid())));
        if (group.isEmpty() && access.group().isPresent()) {
            throw new SetupException(
                    "%s=%s: there is no such group"
                            .formatted(Setting.GROUP.key(), access.group().get()));
        }
        return group;
    }

    /** Begins to look for other members; does nothing without a group. */
    public void start() {
        if (group.isPresent()) {
            worker.start();
        }
    }

    private void run() throws InterruptedException {
        while (!worker.isStopping()) {
            boolean _ = worker.await(REFRESH);
            refresh();
        }
    }

    /** Somebody who is not found is no member, whatever the reason. */
    void refresh() {
        Set<Integer> found = new HashSet<>();
        group.ifPresent(it -> {
            Optional<UserDatabase.Entry> entry = users.group(it.name());
            if (entry.filter(now -> now.gid() == it.gid()).isEmpty()) {
                failures.warn("the group " + it.name() + " is gone, and nobody is in it", "");
                return;
            }
            entry.get().members().forEach(user -> users.uid(user).ifPresent(found::add));
            found.addAll(users.usersOf(it.gid()));
        });
        members = Set.copyOf(found);
    }

    /**
     * The kernel gives one number to all users whom this process's user namespace does not have: so
     * that is nobody's.
     */
    @Override
    public boolean mayRead(int uid) {
        return uid != overflow && (uid == ROOT || uid == own || members.contains(uid));
    }

    @Override
    public Optional<Group> group() {
        return group;
    }

    @Override
    public void close() {
        worker.close();
    }
}
