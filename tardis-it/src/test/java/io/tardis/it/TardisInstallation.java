package io.tardis.it;

import java.nio.file.Files;
import java.nio.file.Path;

/** A folder with {@code bin/tardis}, {@code bin/tardis-runc} and {@code lib/}. */
record TardisInstallation(Path home) {

    /** The one that the build has made. */
    static TardisInstallation fromBuild() {
        String home = System.getProperty("tardis.home");
        if (home == null) {
            throw new IllegalStateException("the property tardis.home names no installation");
        }
        TardisInstallation installation =
                new TardisInstallation(Path.of(home).toAbsolutePath().normalize());
        if (!Files.isExecutable(installation.runc())) {
            throw new IllegalStateException(
                    installation.runc() + " is missing: build it with mvn -DskipTests package");
        }
        return installation;
    }

    Path tardis() {
        return home.resolve("bin/tardis");
    }

    Path runc() {
        return home.resolve("bin/tardis-runc");
    }
}
