package io.tardis.cli;

import picocli.CommandLine;

/** The version of Tardis, which the build writes into the module descriptor. */
final class Version implements CommandLine.IVersionProvider {

    static String text() {
        return Version.class.getModule().getDescriptor().rawVersion().orElse("unknown");
    }

    @Override
    public String[] getVersion() {
        return new String[] {"tardis " + text()};
    }
}
