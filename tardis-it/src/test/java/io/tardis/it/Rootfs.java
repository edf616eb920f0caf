package io.tardis.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/** A root filesystem for containers, without an image: busybox, and a program that crashes. */
final class Rootfs {

    /** Ends by SIGSEGV. A container's first process cannot do that to itself with {@code kill}. */
    static final String CRASH = "/bin/crash";

    private static final List<String> APPLETS =
            List.of(
                    "cat", "echo", "env", "false", "head", "kill", "ls", "sh", "sleep", "true",
                    "wc");

    private Rootfs() {}

    static Path create(Path folder) {
        try {
            Path bin = Files.createDirectories(folder.resolve("bin"));
            Path busybox = Programs.find("busybox");
            Files.copy(busybox, bin.resolve("busybox"));
            for (String applet : APPLETS) {
                Files.createSymbolicLink(bin.resolve(applet), Path.of("busybox"));
            }
            Path crash = folder.resolve(CRASH.substring(1));
            Files.write(crash, withBrokenEntry(Files.readAllBytes(busybox)));
            Files.setPosixFilePermissions(crash, PosixFilePermissions.fromString("rwxr-xr-x"));
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * The program with its entry point (8 bytes at offset 24 of an ELF file) moved to where nothing
     * can be executed, so that its first instruction faults, on every architecture and without a
     * compiler.
     */
    private static byte[] withBrokenEntry(byte[] elf) {
        byte[] broken = elf.clone();
        for (int i = 24; i < 32; i++) {
            broken[i] = 0;
        }
        return broken;
    }
}
