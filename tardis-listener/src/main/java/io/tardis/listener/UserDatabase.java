package io.tardis.listener;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** The users and groups of this machine, by name. */
interface UserDatabase {

    /**
     * A group.
     *
     * @param members the names of its users, without those whose primary group it is
     */
    record Entry(int gid, List<String> members) {
        public Entry {
            members = List.copyOf(members);
        }
    }

    /** The group of this name. May wait for a server. */
    Optional<Entry> group(String name);

    /** The number of the user of this name. May wait for a server. */
    OptionalInt uid(String user);

    /** The users of this machine itself whose primary group it is. */
    List<Integer> usersOf(int gid);
}
