package io.tardis.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** An image with the {@link Rootfs} as its only layer, as {@code docker save} writes one. */
final class Image {

    private Image() {}

    /** Imports it into containerd's namespace {@code default}, under {@code name}. */
    static void importAs(String name, Containerd containerd) {
        Path folder = containerd.folder("image");
        Path layer = folder.resolve("layer.tar");
        tar(layer, containerd.rootfs());
        try {
            Files.writeString(
                    folder.resolve("config.json"),
                    """
                    {"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin"]},
                     "rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}\
                    """
                            .formatted(
                                    System.getProperty("os.arch").replace("aarch64", "arm64"),
                                    sha256(layer)));
            Files.writeString(
                    folder.resolve("manifest.json"),
                    "[{\"Config\":\"config.json\",\"RepoTags\":[\"%s\"],\"Layers\":[\"layer.tar\"]}]"
                            .formatted(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Path archive = containerd.folder("images").resolve("image.tar");
        tar(archive, folder);
        List<String> command = new ArrayList<>(List.of("-n", "default", "image", "import"));
        // containerd 2 imports by its own snapshotter unless ctr does it.
        if (containerd.ctr("image", "import", "--help").out().contains("--local")) {
            command.add("--local");
        }
        command.addAll(List.of("--snapshotter", "native", archive.toString()));
        Outcome _ = containerd.ctr(command.toArray(String[]::new)).orFail();
    }

    private static void tar(Path archive, Path folder) {
        Outcome _ =
                Command.of("tar", "-C", folder.toString(), "-cf", archive.toString(), ".")
                        .run()
                        .orFail();
    }

    private static String sha256(Path file) throws IOException {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
            return HexFormat.of().formatHex(hash);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }
}
