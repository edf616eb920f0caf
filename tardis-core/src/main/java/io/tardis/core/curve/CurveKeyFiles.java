package io.tardis.core.curve;

import io.tardis.core.DurableFile;
import io.tardis.core.Owner;
import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Reads and writes key pairs in the files that czmq and pyzmq call certificates.
 *
 * <p>{@code NAME.key} holds the public key, {@code NAME.key_secret} both. Lines (ZPL,
 * rfc.zeromq.org/spec/4) are blank, begin with {@code #}, name a section, or are {@code NAME =
 * VALUE} with or without quotes. As in pyzmq ({@code zmq/auth/certs.py}, 24.0.1) only the lines
 * {@code public-key} and {@code secret-key} count, in whatever section:
 *
 * <pre>
 * metadata
 * curve
 *     public-key = "40 characters of Z85"
 *     secret-key = "40 characters of Z85"
 * </pre>
 */
public final class CurveKeyFiles {

    private static final String PUBLIC = "public-key";
    private static final String SECRET = "secret-key";
    private static final String QUOTED = "^([\"'])(.*)\\1$";
    private static final int MAX_BYTES = 64 * 1024;

    private record Value(String text, int line) {}

    private CurveKeyFiles() {}

    /** Where the public key of the pair {@code name} is. */
    public static Path publicFile(Path name) {
        return name.resolveSibling(name.getFileName() + ".key");
    }

    /** Where the whole pair {@code name} is. */
    public static Path secretFile(Path name) {
        return name.resolveSibling(name.getFileName() + ".key_secret");
    }

    /**
     * The public key in a file of either kind.
     *
     * @throws SetupException if it cannot be read, or holds none; names the file and the line
     */
    public static CurvePublicKey readPublic(Path file) {
        return key(file, read(file, false), PUBLIC, CurvePublicKey::new);
    }

    /**
     * The pair in a secret file.
     *
     * @throws SetupException if the file is a link, somebody else's, or open to others; or if it
     *     cannot be read or does not hold both keys; names the file and the line
     */
    public static CurveKeyPair readPair(Path file) {
        Map<String, Value> values = read(file, true);
        CurvePublicKey publicKey = key(file, values, PUBLIC, CurvePublicKey::new);
        return key(file, values, SECRET, it -> new CurveKeyPair(publicKey, it));
    }

    /**
     * Writes both files of a pair, the secret one for its owner alone. Each is written beside its
     * place and forced to the disk first: a full disk leaves no empty or partial key.
     *
     * @param name the path without the endings
     * @throws SetupException if one of them is there already, or cannot be written; then none of
     *     them is new
     */
    public static void write(Path name, CurveKeyPair pair) {
        String publicLines =
                "\nmetadata\ncurve\n    %s = \"%s\"\n".formatted(PUBLIC, pair.publicKey());
        String allLines = publicLines + "    %s = \"%s\"\n".formatted(SECRET, pair.secretText());
        Path secretFile = secretFile(name);
        Path publicFile = publicFile(name);
        Path newSecret = beside(secretFile);
        Path newPublic = beside(publicFile);
        try {
            try {
                DurableFile.create(
                        newSecret,
                        "rw-------",
                        "# The secret key of a CURVE key pair: keep it to yourself\n" + allLines);
                DurableFile.create(
                        newPublic,
                        "rw-r--r--",
                        "# The public key of a CURVE key pair: for everybody\n" + publicLines);
                place(newSecret, secretFile, newPublic, publicFile);
            } finally {
                Files.deleteIfExists(newSecret);
                Files.deleteIfExists(newPublic);
            }
        } catch (FileAlreadyExistsException e) {
            throw new SetupException(
                    e.getFile() + " is there already; keys are never overwritten", e);
        } catch (IOException e) {
            throw new SetupException("the key file " + secretFile + " cannot be written: " + e, e);
        }
    }

    private static Path beside(Path file) {
        return file.resolveSibling("." + file.getFileName() + ".new");
    }

    /** By links, not renames: a rename would replace a key that somebody else has just made. */
    private static void place(Path newSecret, Path secretFile, Path newPublic, Path publicFile)
            throws IOException {
        Files.createLink(secretFile, newSecret);
        try {
            Files.createLink(publicFile, newPublic);
        } catch (IOException e) {
            Files.delete(secretFile);
            throw e;
        }
        DurableFile.forceDirectory(secretFile);
    }

    /** What {@code make} makes of the value of {@code name}. */
    private static <T> T key(
            Path file, Map<String, Value> values, String name, Function<String, T> make) {
        Value value = values.get(name);
        if (value == null) {
            throw new SetupException("the key file " + file + " has no line " + name + " = ...");
        }
        try {
            return make.apply(value.text());
        } catch (IllegalArgumentException e) {
            throw malformed(file, value.line(), name + " is " + e.getMessage());
        }
    }

    private static Map<String, Value> read(Path file, boolean isSecret) {
        try {
            if (isSecret) {
                // Whoever else can read or replace the secret key can be who it stands for.
                Owner.check(
                        "secret key file",
                        file,
                        false,
                        "---rwxrwx",
                        "is open to others than its owner; close it with chmod 600");
            }
            if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
                String problem = Files.exists(file) ? " is no key file" : " does not exist";
                throw new SetupException("the key file " + file + problem);
            }
            return parse(file, Files.readAllLines(file, StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new SetupException("the key file " + file + " cannot be read: " + e, e);
        }
    }

    private static Map<String, Value> parse(Path file, List<String> lines) {
        Map<String, Value> values = new HashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            int equals = line.indexOf('=');
            if (line.startsWith("#") || line.matches("[^=\\s]*")) {
                continue; // a comment, a section, or nothing
            }
            if (equals < 1) {
                throw malformed(file, i + 1, "neither a section nor NAME = VALUE");
            }
            String name = line.substring(0, equals).strip();
            String text = line.substring(equals + 1).strip().replaceFirst(QUOTED, "$2");
            if (values.put(name, new Value(text, i + 1)) != null
                    && (name.equals(PUBLIC) || name.equals(SECRET))) {
                throw malformed(file, i + 1, "a second " + name);
            }
        }
        return values;
    }

    private static SetupException malformed(Path file, int line, String reason) {
        return new SetupException("the key file " + file + ", line " + line + ": " + reason);
    }
}
