package io.tardis.listener;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Makes files in a new tmpfs, which its first argument names, until one has the inode that its
 * second argument names; takes the lock on it, says so, and holds it until its standard input ends.
 */
final class LockOfTheSameInode {

    private LockOfTheSameInode() {}

    public static void main(String[] arguments) throws IOException {
        Path file = Path.of(arguments[0], "file");
        long wanted = Long.parseLong(arguments[1]);
        while (inodeOfNew(file) < wanted) {
            Files.delete(file);
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            boolean same = lock.isValid() && inode(file) == wanted;
            System.out.println(same ? "held" : "it has the inode " + inode(file));
            int ignored = System.in.read();
            assert ignored == -1;
        }
    }

    private static long inodeOfNew(Path file) throws IOException {
        return inode(Files.createFile(file));
    }

    private static long inode(Path file) throws IOException {
        return (long) Files.getAttribute(file, "unix:ino");
    }
}
