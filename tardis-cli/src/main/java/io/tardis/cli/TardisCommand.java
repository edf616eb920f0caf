package io.tardis.cli;

import picocli.CommandLine.Command;

/** The root of the command line, and what its commands share. */
@Command(
        name = "tardis",
        description = "Records how containers end, and answers that long after they are gone.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND")
record TardisCommand(Environment environment, Output output, Host host) {}
