package io.tardis.listener;

import java.nio.file.Path;

/**
 * Takes the lock on the state directory that its argument names, says so, and holds it until its
 * standard input ends.
 */
final class LockHolder {

    private LockHolder() {}

    public static void main(String[] arguments) throws Exception {
        try (InstanceLock lock = InstanceLock.take(Path.of(arguments[0]))) {
            System.out.println(lock == null ? "" : "held");
            int ignored = System.in.read();
            assert ignored == -1;
        } catch (AlreadyRunningException e) {
            System.out.println(e.getMessage());
        }
    }
}
