package io.tardis.listener;

import java.nio.file.Path;
import java.time.InstantSource;

/**
 * Takes as many numbers as its second argument says from the sequence in the directory that the
 * first names, prints the last one, and waits to be killed.
 */
final class SequenceTaker {

    private SequenceTaker() {}

    @SuppressWarnings("MustBeClosedChecker")
    public static void main(String[] arguments) throws Exception {
        ExitSequence sequence = ExitSequence.open(Path.of(arguments[0]), InstantSource.system());
        for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
            sequence.next();
        }
        System.out.println(sequence.last());
        Thread.sleep(60_000);
    }
}
