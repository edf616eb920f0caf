package io.tardis.runc;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes the files of a bundle. */
final class Bundles {

    static final String ENABLED = "{\"process\":{\"env\":[\"PATH=/bin\",\"TARDIS_ENABLE=1\"]}}";
    static final String NOT_ENABLED = "{\"process\":{\"env\":[\"PATH=/bin\"]}}";

    private Bundles() {}

    /** Makes {@code bundle} with this {@code config.json}, in the place of one that is there. */
    static Path write(Path bundle, String config) throws IOException {
        Files.createDirectories(bundle);
        Files.writeString(bundle.resolve("config.json"), config);
        return bundle;
    }
}
