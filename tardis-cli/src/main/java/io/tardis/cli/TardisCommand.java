package io.tardis.cli;

import picocli.CommandLine.Command;

/** The root of the command line. */
@Command(
        name = "tardis",
        description = "Records how containers end, and answers that long after they are gone.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND")
final class TardisCommand {}
