package io.tardis.core.curve;

import io.tardis.core.Owner;
import io.tardis.core.SetupException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

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
    private static final int MAX_BYTES = 64 * 1024;

    private static final Set<PosixFilePermission> OTHERS =
            EnumSet.complementOf(
                    EnumSet.of(
                            PosixFilePermission.OWNER_READ,
                            PosixFilePermission.OWNER_WRITE,
                            PosixFilePermission.OWNER_EXECUTE));

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
        try {
            return publicKey(file, read(file));
        } catch (IOException e) {
            throw new SetupException("the key file " + file + " cannot be read: " + e, e);
        }
    }

    /**
     * The pair in a secret file.
     *
     * @throws SetupException if the file is a link, somebody else's, or open to others; or if it
     *     cannot be read or does not hold both keys; names the file and the line
     */
    public static CurveKeyPair readPair(Path file) {
        try {
            checkSecret(file);
            Map<String, Value> values = read(file);
            CurvePublicKey publicKey = publicKey(file, values);
            Value secret = value(file, values, SECRET);
            try {
                return new CurveKeyPair(publicKey, secret.text());
            } catch (IllegalArgumentException e) {
                throw malformed(file, secret.line(), SECRET + " is " + e.getMessage(), e);
            }
        } catch (IOException e) {
            throw new SetupException("the key file " + file + " cannot be read: " + e, e);
        }
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
        String publicLine = "curve\n    " + PUBLIC + " = \"" + pair.publicKey() + "\"\n";
        Path secretFile = secretFile(name);
        Path publicFile = publicFile(name);
        Path newSecret = beside(secretFile);
        Path newPublic = beside(publicFile);
        try {
            refuseExisting(secretFile);
            refuseExisting(publicFile);
            create(
                    newSecret,
                    "rw-------",
                    "# The secret key of a CURVE key pair: keep it to yourself\n\nmetadata\n"
                            + publicLine
                            + "    "
                            + SECRET
                            + " = \""
                            + pair.secretText()
                            + "\"\n");
            create(
                    newPublic,
                    "rw-r--r--",
                    "# The public key of a CURVE key pair: for everybody\n\nmetadata\n"
                            + publicLine);
            place(newSecret, secretFile, newPublic, publicFile);
        } catch (IOException e) {
            throw new SetupException("the key file " + secretFile + " cannot be written: " + e, e);
        } finally {
            remove(newSecret);
            remove(newPublic);
        }
    }

    private static Path beside(Path file) {
        return file.resolveSibling("." + file.getFileName() + ".new");
    }

    private static void refuseExisting(Path file) {
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new SetupException(file + " is there already; keys are never overwritten");
        }
    }

    private static void create(Path file, String permissions, String text) throws IOException {
        Files.deleteIfExists(file); // left by a kill
        try (FileChannel channel =
                FileChannel.open(
                        file,
                        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                        PosixFilePermissions.asFileAttribute(
                                PosixFilePermissions.fromString(permissions)))) {
            ByteBuffer bytes = StandardCharsets.UTF_8.encode(text);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
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
        try (FileChannel directory = FileChannel.open(secretFile.resolveSibling("."))) {
            directory.force(true);
        }
    }

    private static void remove(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new SetupException(file + " cannot be removed: " + e, e);
        }
    }

    /** Whoever else can read or replace the secret key can be who it stands for. */
    private static void checkSecret(Path file) throws IOException {
        PosixFileAttributes attributes =
                Files.readAttributes(file, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        String problem = null;
        if (!attributes.isRegularFile()) {
            problem =
                    attributes.isSymbolicLink()
                            ? "is a symbolic link; name the file itself"
                            : "is not a file";
        } else if (!Owner.isUs(attributes.owner())) {
            problem = Owner.complaint(attributes.owner());
        } else if (attributes.permissions().stream().anyMatch(OTHERS::contains)) {
            problem = "is open to others than its owner; close it with chmod 600";
        }
        if (problem != null) {
            throw new SetupException("the secret key file " + file + " " + problem);
        }
    }

    private record Value(String text, int line) {}

    private static CurvePublicKey publicKey(Path file, Map<String, Value> values) {
        Value value = value(file, values, PUBLIC);
        try {
            return new CurvePublicKey(value.text());
        } catch (IllegalArgumentException e) {
            throw malformed(file, value.line(), PUBLIC + " is " + e.getMessage(), e);
        }
    }

    private static Value value(Path file, Map<String, Value> values, String name) {
        Value value = values.get(name);
        if (value == null) {
            throw new SetupException("the key file " + file + " has no line " + name + " = ...");
        }
        return value;
    }

    private static Map<String, Value> read(Path file) throws IOException {
        if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
            throw new SetupException(
                    "the key file "
                            + file
                            + (Files.exists(file) ? " is no key file" : " does not exist"));
        }
        List<String> lines = Files.readAllLines(file, StandardCharsets.UTF_8);
        Map<String, Value> values = new HashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            int equals = line.indexOf('=');
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            if (equals < 0 ? line.matches(".*\\s.*") : equals == 0) {
                throw malformed(file, i + 1, "neither a section nor NAME = VALUE", null);
            }
            if (equals > 0) {
                String name = line.substring(0, equals).strip();
                String text = unquote(line.substring(equals + 1).strip());
                if (values.put(name, new Value(text, i + 1)) != null
                        && (name.equals(PUBLIC) || name.equals(SECRET))) {
                    throw malformed(file, i + 1, "a second " + name, null);
                }
            }
        }
        return values;
    }

    /** No key contains a quote. */
    private static String unquote(String text) {
        boolean quoted =
                text.length() >= 2
                        && (text.charAt(0) == '"' || text.charAt(0) == '\'')
                        && text.charAt(0) == text.charAt(text.length() - 1);
        return quoted ? text.substring(1, text.length() - 1) : text;
    }

    private static SetupException malformed(
            Path file, int line, String reason, @Nullable Throwable cause) {
        String message = "the key file " + file + ", line " + line + ": " + reason;
        return cause == null ? new SetupException(message) : new SetupException(message, cause);
    }
}
