package io.tardis.cli;

import io.tardis.core.curve.CurveKeyFiles;
import io.tardis.core.curve.CurveKeyPair;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** {@code tardis keygen}. */
@Command(
        name = "keygen",
        description = {
            "Makes a CURVE key pair for ZeroMQ, in two files: NAME.key, the public key, for everybody; and NAME.key_secret,"
                    + " both keys, for its owner alone. Files that are there already are never overwritten.",
            "For the daemon, name NAME.key_secret in TARDIS_CURVE_SECRET_KEY_FILE: then its sockets talk to nobody without"
                    + " keys, and may be bound on other addresses than loopback.",
            "For a client, put its NAME.key into the daemon's TARDIS_CURVE_CLIENTS_DIR. The client needs its own"
                    + " NAME.key_secret (TARDIS_CURVE_SECRET_KEY_FILE) and the daemon's NAME.key (TARDIS_CURVE_SERVER_KEY_FILE).",
            "The files are those of czmq and pyzmq (zmq.auth.load_certificate)."
        })
@SuppressWarnings("NullAway.Init") // the fields are set by picocli
final class KeygenCommand extends Subcommand {

    @Parameters(
            paramLabel = "NAME",
            converter = FileName.class,
            description =
                    "The path of the files without their endings, such as /etc/tardis/server.")
    private Path name;

    /** Reads a path that ends in a name. */
    static final class FileName implements ITypeConverter<Path> {
        @Override
        public Path convert(String text) {
            try {
                Path path = Path.of(text);
                Path last = path.getFileName();
                if (last == null || text.endsWith("/") || last.toString().matches("\\.*")) {
                    throw new TypeConversionException("'" + text + "' does not end in a name");
                }
                return path;
            } catch (InvalidPathException e) {
                throw new TypeConversionException("not a path: " + e.getMessage());
            }
        }
    }

    @Override
    public Integer call() {
        CurveKeyPair pair = CurveKeyPair.generate();
        CurveKeyFiles.write(name, pair);
        out().println("public key  " + pair.publicKey());
        out().println("public      " + CurveKeyFiles.publicFile(name));
        out().println("secret      " + CurveKeyFiles.secretFile(name));
        return ExitStatus.OK;
    }
}
