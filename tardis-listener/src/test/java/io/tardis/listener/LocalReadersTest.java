package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tardis.core.Readers;
import io.tardis.core.SetupException;
import io.tardis.core.config.Access;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class LocalReadersTest {

    private static final int DAEMON = 990;
    private static final int OVERFLOW = 65_534;
    private static final Access OPS = new Access(Optional.of("ops"), false, false);
    private static final Access NONE = new Access(Optional.empty(), false, false);

    private final FakeUsers users = new FakeUsers();

    @Test
    void rootAndTheDaemonsUserMayRead() {
        LocalReaders readers = open(NONE);

        assertThat(readers.mayRead(0)).isTrue();
        assertThat(readers.mayRead(DAEMON)).isTrue();
        assertThat(readers.mayRead(1000)).isFalse();
        assertThat(readers.mayRead(-2)).isFalse();
        assertThat(readers.group()).isEmpty();
    }

    @Test
    void membersOfTheGroupMayReadAlsoIfItIsTheirPrimaryOne() {
        users.groups.put("ops", new UserDatabase.Entry(60, List.of("ann", "gone", "big")));
        users.uids.putAll(Map.of("ann", 1000, "bob", 1001, "big", -3));
        users.primary.put(60, List.of(1002));

        LocalReaders readers = open(OPS);

        assertThat(readers.group()).contains(new Readers.Group("ops", 60));
        assertThat(List.of(1000, 1002, -3)).allMatch(readers::mayRead);
        assertThat(List.of(1001, 60)).noneMatch(readers::mayRead);
    }

    @Test
    void findsOutWhoIsAMemberByNow() {
        users.groups.put("ops", new UserDatabase.Entry(60, List.of("ann")));
        users.uids.putAll(Map.of("ann", 1000, "bob", 1001));
        LocalReaders readers = open(OPS);

        users.groups.put("ops", new UserDatabase.Entry(60, List.of("bob")));
        readers.refresh();

        assertThat(readers.mayRead(1000)).isFalse();
        assertThat(readers.mayRead(1001)).isTrue();

        users.groups.put("ops", new UserDatabase.Entry(61, List.of("bob")));
        readers.refresh();

        assertThat(readers.mayRead(1001)).as("of another group of the same name").isFalse();

        users.groups.clear();
        readers.refresh();

        assertThat(readers.mayRead(1001)).isFalse();
        assertThat(readers.mayRead(0)).isTrue();
    }

    /** All users of other user namespaces have that number. */
    @Test
    void theNumberOfThoseWhoHaveNoneMayNotRead() {
        users.groups.put("ops", new UserDatabase.Entry(60, List.of("nobody")));
        users.uids.put("nobody", OVERFLOW);

        assertThat(open(OPS).mayRead(OVERFLOW)).isFalse();
        assertThat(new LocalReaders(users, NONE, OVERFLOW, OVERFLOW).mayRead(OVERFLOW)).isFalse();
    }

    @Test
    void aGroupThatIsSetHasToExist() {
        assertThatThrownBy(() -> open(OPS))
                .isInstanceOf(SetupException.class)
                .hasMessage("TARDIS_GROUP=ops: there is no such group");
    }

    @Test
    void theDefaultGroupCountsIfItExists() {
        users.uids.put("ann", 1000);

        assertThat(open(Access.DEFAULT).group()).isEmpty();

        users.groups.put("tardis", new UserDatabase.Entry(7, List.of("ann")));

        assertThat(open(Access.DEFAULT).group()).contains(new Readers.Group("tardis", 7));
        assertThat(open(Access.DEFAULT).mayRead(1000)).isTrue();
        assertThat(open(NONE).mayRead(1000)).isFalse();
    }

    @Test
    void readsTheDatabaseOfThisMachine() {
        SystemUsers system = new SystemUsers();

        assertThat(system.group("root")).map(UserDatabase.Entry::gid).contains(0);
        assertThat(system.group("no-such-group")).isEmpty();
        assertThat(system.uid("root")).hasValue(0);
        assertThat(system.uid("no-such-user")).isEmpty();
        assertThat(system.usersOf(0)).contains(0);
    }

    private LocalReaders open(Access access) {
        return new LocalReaders(users, access, DAEMON, OVERFLOW);
    }

    private static final class FakeUsers implements UserDatabase {
        private final Map<String, Entry> groups = new HashMap<>();
        private final Map<String, Integer> uids = new HashMap<>();
        private final Map<Integer, List<Integer>> primary = new HashMap<>();

        @Override
        public Optional<Entry> group(String name) {
            return Optional.ofNullable(groups.get(name));
        }

        @Override
        public OptionalInt uid(String user) {
            Integer uid = uids.get(user);
            return uid == null ? OptionalInt.empty() : OptionalInt.of(uid);
        }

        @Override
        public List<Integer> usersOf(int gid) {
            return primary.getOrDefault(gid, List.of());
        }
    }
}
