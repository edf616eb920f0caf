package io.tardis.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.tardis.core.TardisException;
import io.tardis.core.client.ExitSubscriber;
import io.tardis.core.client.PublishedSource;
import io.tardis.core.client.QueryClient;
import io.tardis.core.config.Settings;
import io.tardis.core.config.SettingsReader;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.ParseResult;

/**
 * Runs commands of native clients in the daemon, and decides which ones: those whose answer is the
 * same here as in a JVM of the client's.
 *
 * <h2>Which</h2>
 *
 * The daemon is root, and its client may be a user who may only read. So a command runs here if it
 * asks the store and nothing else ({@link Subcommand#isServed}): it reads and writes no file of the
 * client's, and starts and ends nothing. A wrong command line and {@code --help} are answered here,
 * too. The client's version must be the daemon's, since both know the same commands then. Its
 * settings must be the daemon's, since others lead to another daemon, or are refused. Only those of
 * root and of the daemon's own user are read to find that out: they may name files.
 */
final class ServedCommands {

    /** They change no setting. {@code TARDIS_LAUNCHER} is of a process below the launcher. */
    private static final Set<String> OF_NO_CONCERN =
            Set.of("TARDIS_JAVA_OPTS", "TARDIS_ENABLE", "TARDIS_LAUNCHER");

    /** The client says at once that its reader has gone; a thousand commands may look for it. */
    private static final Duration POLL = Duration.ofSeconds(2);

    private static final Duration BUDGET_PATIENCE = Duration.ofSeconds(30);

    private final Environment environment;
    private final Settings settings;
    private final QueryClient.Asker store;
    private final Supplier<PublishedSource> exits;
    private final AnswerBudget budget = new AnswerBudget(BUDGET_PATIENCE);

    /**
     * The commands of a daemon.
     *
     * @param environment the daemon's
     * @param settings those that it runs with
     * @param store asks the daemon's store
     * @param exits makes what a command receives the published exits with
     */
    ServedCommands(
            Environment environment,
            Settings settings,
            QueryClient.Asker store,
            Supplier<PublishedSource> exits) {
        this.exits = exits;
        this.environment = environment;
        this.settings = settings;
        this.store = store;
    }

    /**
     * Runs a command. An interrupt ends it soon.
     *
     * @param isTrusted whether the client's user is root or the daemon's
     * @param isReaderGone whether nobody wants its output any more
     * @return its exit status; empty if it is to run in a JVM, and then nothing was printed
     */
    OptionalInt run(
            CommandProtocol.Request request,
            boolean isTrusted,
            FrameWriter writer,
            BooleanSupplier isReaderGone) {
        if (!request.version().equals(Version.text())) {
            return OptionalInt.empty();
        }
        Environment its = new Environment(request.variables());
        Optional<Supplier<Settings>> known = settingsOf(its, isTrusted);
        if (known.isEmpty()) {
            return OptionalInt.empty();
        }
        Output output = new Output(writer.out(), isReaderGone);
        try (AnswerBudget.Share share = budget.share(isTrusted)) {
            Inside host = new Inside(known.get(), writer, share, request.isUtf8());
            PrintWriter err = new PrintWriter(new OutputStreamWriter(writer.err(), UTF_8), true);
            OptionalInt status = parseAndRun(its, output, host, err, request);
            IntSupplier rest = host.rest;
            if (rest != null) {
                status = OptionalInt.of(Main.statusOf(rest, err));
            }
            return status.isPresent()
                    ? OptionalInt.of(output.statusAfter(status.getAsInt(), err))
                    : status;
        }
    }

    /**
     * Empty if the command is to run in a JVM. What read the command line is garbage afterwards.
     */
    private static OptionalInt parseAndRun(
            Environment environment,
            Output output,
            Inside host,
            PrintWriter err,
            CommandProtocol.Request request) {
        String[] arguments = request.arguments().toArray(String[]::new);
        boolean[] isHere = {true};
        int status =
                Main.commandLine(environment, output, host, arguments)
                        .setErr(err)
                        .setColorScheme(CommandLine.Help.defaultColorScheme(ansi(request)))
                        .setExecutionStrategy(parsed -> {
                            isHere[0] = isServed(parsed);
                            return isHere[0] ? new CommandLine.RunLast().execute(parsed) : 0;
                        })
                        .execute(arguments);
        return isHere[0] ? OptionalInt.of(status) : OptionalInt.empty();
    }

    private static boolean isServed(ParseResult parsed) {
        return parsed.asCommandLineList().stream()
                .allMatch(it ->
                        it.isUsageHelpRequested()
                                || it.isVersionHelpRequested()
                                || it.getCommand() instanceof TardisCommand
                                || (it.getCommand() instanceof Subcommand command
                                        && command.isServed()));
    }

    /** As picocli decides it in a JVM that lib/tardis-jvm has started. */
    private static Ansi ansi(CommandProtocol.Request request) {
        return request.isTerminal() && !request.variables().containsKey("NO_COLOR")
                ? Ansi.ON
                : Ansi.OFF;
    }

    /**
     * The settings of a command that is to run here: the daemon's own. Or they are bad: the command
     * will say so. Empty if they are others; also if the file could not be read: it may be that the
     * daemon has no descriptor left, and a JVM has.
     */
    private Optional<Supplier<Settings>> settingsOf(Environment its, boolean isTrusted) {
        boolean isSame = settingsOf(its.variables()).equals(settingsOf(environment.variables()));
        if (!isSame && !isTrusted) {
            return Optional.empty();
        }
        try {
            return its.settings().equals(settings) ? Optional.of(() -> settings) : Optional.empty();
        } catch (TardisException e) {
            Supplier<Settings> bad =
                    () -> {
                        throw e;
                    };
            return e.getCause() == null ? Optional.of(bad) : Optional.empty();
        }
    }

    private static Map<String, String> settingsOf(Map<String, String> variables) {
        return variables.entrySet().stream()
                .filter(it -> it.getKey().startsWith("TARDIS_"))
                .filter(it -> !OF_NO_CONCERN.contains(it.getKey()))
                .filter(it ->
                        it.getKey().equals(SettingsReader.CONFIG_KEY) || !it.getValue().isEmpty())
                .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    /** The daemon, for one command. */
    private final class Inside implements Host {

        private final Supplier<Settings> known;
        private final FrameWriter writer;
        private final AnswerBudget.Share share;
        private final boolean isUtf8;
        private @Nullable IntSupplier rest;

        private Inside(
                Supplier<Settings> known,
                FrameWriter writer,
                AnswerBudget.Share share,
                boolean isUtf8) {
            this.known = known;
            this.writer = writer;
            this.share = share;
            this.isUtf8 = isUtf8;
        }

        @Override
        public Settings settings(Environment its) {
            return known.get();
        }

        @Override
        public DaemonQueries queries(Settings its) {
            QueryClient client = new QueryClient(new CommandQueries(store, writer, share));
            return new DaemonQueries(
                    client,
                    after -> new ExitSubscriber(exits, client, after),
                    this::sendPosition,
                    POLL,
                    () -> {});
        }

        @Override
        public Optional<DaemonQueries> ofStoppedDaemon(Settings its) {
            return Optional.empty();
        }

        @Override
        public boolean defersWaits() {
            return true;
        }

        @Override
        public int await(IntSupplier then) {
            rest = then;
            return ExitStatus.OK;
        }

        private void sendPosition(long seq) {
            try {
                writer.position(seq);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public boolean isAscii() {
            return !isUtf8;
        }
    }
}
