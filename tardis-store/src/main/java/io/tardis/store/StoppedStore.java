package io.tardis.store;

import io.tardis.core.SetupException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The exit log of a daemon that does not run. Nothing is changed in it, and nothing repaired. */
public final class StoppedStore {

    private StoppedStore() {}

    /**
     * Answers from the log, as the daemon would. To be closed.
     *
     * @param version what to answer to a ping
     * @return empty if there is no log
     * @throws io.tardis.core.UnavailableException if this user may not read it
     * @throws SetupException if it is no exit log that this version can read
     */
    public static Optional<DirectAnswers> open(Path log, String version) {
        if (Files.notExists(log)) {
            return Optional.empty();
        }
        if (!Files.isReadable(log)) {
            throw new ExitLogException(
                    "no daemon runs, and what it recorded cannot be read: permission denied on "
                            + log);
        }
        Reader first = new Reader(log);
        LifeCache nothing = new LifeCache(first);
        return Optional.of(
                new DirectAnswers(
                        () -> new Reader(log),
                        nothing,
                        new Unwritten(0, 0),
                        version,
                        Optional::empty,
                        Optional::empty) {
                    @Override
                    public void close() {
                        super.close();
                        first.close();
                    }
                });
    }

    /** A connection that cannot write. */
    private static final class Reader extends ExitTables {

        private final SqliteSession session;

        private Reader(Path log) {
            super(new LogFiles(log));
            session = SqliteSession.openReadOnly(log);
            try {
                ExitLogFile.requireOurs(session);
            } catch (RuntimeException e) {
                session.close();
                throw e;
            }
        }

        @Override
        SqliteSession session() {
            return session;
        }

        /** It is on disk: nothing else is known. */
        @Override
        public boolean isSafe() {
            return true;
        }

        @Override
        public void close() {
            session.close();
        }
    }
}
