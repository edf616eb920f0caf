package io.tardis.runc;

import io.tardis.core.event.ContainerKey;
import java.nio.file.Path;
import java.util.List;

/**
 * What a command line of runc asks for, as far as it concerns Tardis.
 *
 * <p>It is read by position, never by looking for a word: a container may be called {@code create}.
 * Options are spelled as Go's flag package takes them, {@code --x v}, {@code --x=v}, {@code -x v}
 * and {@code -x=v}; after the subcommand they may stand on both sides of the id (urfave/cli 1.22,
 * which runc 1.1 uses, sorts them to the front). The same rules are in {@code tardis-runc.c}, and
 * the same test vectors check both.
 */
public sealed interface RuncCommandLine {

    /**
     * {@code create}, or {@code restore}, which stands in for create and start.
     *
     * @param container the container
     * @param bundle its bundle's directory
     */
    record Create(ContainerKey container, Path bundle) implements RuncCommandLine {}

    /**
     * {@code start}.
     *
     * @param container the container
     * @param state the runtime's directory for it, {@code ROOT/ID}
     */
    record Start(ContainerKey container, Path state) implements RuncCommandLine {}

    /**
     * {@code delete}.
     *
     * @param container the container
     * @param force whether it may still run
     */
    record Delete(ContainerKey container, boolean force) implements RuncCommandLine {}

    /**
     * Everything else: the runtime gets it untouched.
     *
     * @param reason why it does not concern Tardis
     */
    record PassThrough(String reason) implements RuncCommandLine {}

    /**
     * Reads a command line. Nothing is refused: what cannot be understood is for the runtime.
     *
     * @param arguments the arguments, without the program itself
     * @param directory the current directory, which a relative bundle starts from
     */
    static RuncCommandLine parse(List<String> arguments, Path directory) {
        return RuncCommandLineParser.parse(arguments, directory);
    }
}
