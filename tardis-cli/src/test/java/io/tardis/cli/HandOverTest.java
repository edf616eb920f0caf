package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.TardisException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HandOverTest {

    private static final String JAR = "lib/tardis.jar";

    /** What an upgrade does to a daemon's files. */
    enum Replacement {
        COPIED_OVER {
            @Override
            void apply(Versions it) throws IOException {
                Files.writeString(it.running.resolve(JAR), "another");
            }
        },
        RENAMED_OVER {
            @Override
            void apply(Versions it) throws IOException {
                Path beside = Files.writeString(it.running.resolve("lib/new"), "one");
                Files.move(beside, it.running.resolve(JAR), StandardCopyOption.REPLACE_EXISTING);
            }
        },
        REMOVED {
            @Override
            void apply(Versions it) throws IOException {
                Files.delete(it.running.resolve(JAR));
            }
        },
        LINK_SWAPPED {
            @Override
            void apply(Versions it) throws IOException {
                it.linkTo("2");
            }
        },
        LINK_REMOVED {
            @Override
            void apply(Versions it) throws IOException {
                Files.delete(it.link);
            }
        },
        JAVA_UPDATED {
            @Override
            void apply(Versions it) throws IOException {
                Files.writeString(it.java.resolve("lib/modules"), "another");
            }
        };

        abstract void apply(Versions versions) throws IOException;
    }

    /** A link to version 1, which runs, beside version 2. */
    record Versions(Path link, Path running, Path java) {

        static Versions in(Path directory) throws IOException {
            Versions versions =
                    new Versions(
                            directory.resolve("tardis"),
                            directory.resolve("tardis.versions/1").toAbsolutePath(),
                            directory.resolve("java"));
            for (Path lib :
                    new Path[] {
                        versions.running.resolve("lib"),
                        versions.running.resolveSibling("2/lib"),
                        versions.java.resolve("lib/server")
                    }) {
                Files.createDirectories(lib);
            }
            Files.writeString(versions.running.resolve(JAR), "one");
            Files.writeString(versions.java.resolve("lib/modules"), "one");
            Files.writeString(versions.java.resolve("lib/server/libjvm.so"), "one");
            versions.linkTo("1");
            return versions;
        }

        void linkTo(String version) throws IOException {
            Files.deleteIfExists(link);
            Files.createSymbolicLink(link, Path.of("tardis.versions", version));
        }

        Installation installation() throws IOException {
            return new Installation(link, running.toRealPath(), java);
        }
    }

    private Versions versions;
    private int tries;

    @BeforeEach
    void makeVersions(@TempDir Path directory) throws IOException {
        versions = Versions.in(directory);
    }

    @Test
    void leavesADaemonAloneWhoseFilesAreTheSame() throws IOException {
        HandOver handOver = handOver(false, () -> true);

        look(handOver, 1000);

        assertThat(tries).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void startsTheSuccessorOnceTheReplacedFilesStandStill(Replacement replacement)
            throws IOException {
        HandOver handOver = handOver(false, () -> true);
        look(handOver, 3);
        replacement.apply(versions);
        look(handOver, 2);
        assertThat(tries).as("tries while files may still be copied").isZero();

        look(handOver, 5);

        assertThat(tries).isEqualTo(1);
    }

    @Test
    void waitsWhileFilesAreStillWritten() throws IOException {
        HandOver handOver = handOver(false, () -> true);
        for (int i = 0; i < 20; i++) {
            Files.writeString(versions.running.resolve(JAR), "x".repeat(i));
            look(handOver, 1);
        }
        assertThat(tries).isZero();

        look(handOver, 2);

        assertThat(tries).isEqualTo(1);
    }

    /** As one that a launcher of the version before has started after the swap. */
    @Test
    void replacesADaemonThatWasOldWhenItStarted() throws IOException {
        versions.linkTo("2");
        HandOver handOver = handOver(false, () -> true);

        look(handOver, 3);

        assertThat(tries).isEqualTo(1);
    }

    @Test
    void triesAgainWithGrowingPauses() throws IOException {
        HandOver handOver =
                handOver(
                        false,
                        () -> {
                            if (tries % 2 == 0) {
                                throw new TardisException("the daemon cannot be started");
                            }
                            return false;
                        });
        versions.linkTo("2");
        look(handOver, 3);
        assertThat(tries).isEqualTo(1);

        look(handOver, 9);
        assertThat(tries).isEqualTo(1);
        look(handOver, 1);
        assertThat(tries).isEqualTo(2);
        look(handOver, 20);
        assertThat(tries).isEqualTo(3);

        look(handOver, 40 + 80 + 160 + 320 + 3 * 600);
        assertThat(tries).as("tries, 10 minutes apart at last").isEqualTo(3 + 7);
    }

    @Test
    void triesAtOnceWhenWhatFailedIsReplacedAgain() throws IOException {
        HandOver handOver = handOver(false, () -> false);
        versions.linkTo("2");
        look(handOver, 100);
        int before = tries;

        Files.writeString(versions.running.resolve(JAR), "another");
        look(handOver, 3);

        assertThat(tries).isEqualTo(before + 1);
    }

    @Test
    void givesUpWhenTheFilesAreBack() throws IOException {
        HandOver handOver = handOver(false, () -> false);
        versions.linkTo("2");
        look(handOver, 3);
        versions.linkTo("1");
        int before = tries;

        look(handOver, 1000);

        assertThat(tries).isEqualTo(before);
    }

    @Test
    void leavesAServiceToItsManager() throws IOException {
        HandOver handOver = handOver(true, () -> true);
        versions.linkTo("2");

        look(handOver, 1000);

        assertThat(tries).isZero();
    }

    private HandOver handOver(boolean isService, BooleanSupplier successor) throws IOException {
        return new HandOver(
                versions.installation(),
                isService,
                () -> {
                    tries++;
                    return successor.getAsBoolean();
                });
    }

    private static void look(HandOver handOver, int times) {
        for (int i = 0; i < times; i++) {
            handOver.look();
        }
    }
}
