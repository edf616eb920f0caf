package io.tardis.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A user who may run a container chooses its environment, annotations and labels, and that is all:
 * they set nothing for Tardis, which works as root.
 */
@RequiresContainers
class UntrustedContainerIT {

    private static final FileTime LONG_AGO = FileTime.fromMillis(0);

    @RegisterExtension final Lab lab = Lab.withTardis();

    @ContainerTest
    void environmentOfAContainerSetsNothing() throws IOException {
        Container first = container("first");
        for (Map.Entry<String, String> setting : settings().entrySet()) {
            first = first.with(setting.getKey(), setting.getValue());
        }

        // The first container starts the daemon, the others find it.
        setsNothing(first);
    }

    @ContainerTest
    void annotationsAndLabelsOfAContainerSetNothing() throws IOException {
        Container first = container("first").with("TARDIS_ENABLE", "1");
        for (Map.Entry<String, String> setting : settings().entrySet()) {
            String text = setting.getKey() + "=" + setting.getValue();
            first = first.option("--annotation", text, "--label", text);
        }

        setsNothing(first);
    }

    private void setsNothing(Container first) throws IOException {
        Map<String, String> before = tree();

        Outcome three = runUntilTheDaemonReceives(first);
        Outcome zero = named(first, "second").sh("exit 0");
        Outcome third = named(first, "third").sh("exit 3");

        assertThat(tree()).isEqualTo(before);
        assertThat(three.code()).isEqualTo(3);
        assertThat(zero.code()).isEqualTo(0);
        assertThat(third.code()).isEqualTo(3);
        assertThat(three.out() + three.err()).isEmpty();
        assertThat(lab.tardis().code(container("first"))).isEqualTo("3");
        assertThat(lab.tardis().code(container("second"))).isEqualTo("0");
        assertThat(lab.tardis().code(container("third"))).isEqualTo("3");
        assertThat(lab.tardis().isCleaned(container("second"))).isTrue();
        assertThat(lab.tardis().isKept(container("third"))).isTrue();
    }

    /** Ends with 3 once the daemon that it started would not miss that. */
    private Outcome runUntilTheDaemonReceives(Container first) throws IOException {
        CompletableFuture<Outcome> run =
                CompletableFuture.supplyAsync(
                        () -> first.sh("while [ ! -e /go ]; do sleep 0.05; done; exit 3"));
        lab.tardis().awaitDaemon();
        lab.tardis().awaitReceiving(lab.container("probe"));
        Files.createFile(lab.containerd().rootfs().resolve("go"));
        return run.join();
    }

    private Container container(String id) {
        return lab.container(id).enabled();
    }

    private static Container named(Container container, String id) {
        return new Container(
                container.containerd(),
                container.runtime(),
                container.namespace(),
                id,
                container.environment(),
                container.options(),
                container.input());
    }

    /**
     * Settings that lead to what is precious, where there is something for each of them to harm.
     */
    private Map<String, String> settings() throws IOException {
        Path precious = lab.scratch().folder("precious");
        Map<String, String> settings = new TreeMap<>();
        settings.put("TARDIS_STATE_DIR", folder("precious/state"));
        settings.put("TARDIS_RUN_DIR", folder("precious/run"));
        settings.put("TARDIS_CHECKPOINT_DIR", folder("precious/checkpoint"));
        settings.put("TARDIS_LOG_FILE", file("precious/tardis.log", "a log"));
        settings.put(
                "TARDIS_CONFIG",
                file(
                        "precious/tardis.env",
                        "TARDIS_STATE_DIR=" + precious.resolve("state") + "\nTARDIS_RECORD=all\n"));
        settings.put(
                "TARDIS_REAL_RUNC_CMD",
                program("precious/runc", "touch " + precious.resolve("runc-was-here")));
        settings.put(
                "TARDIS_CTR_CMD",
                program("precious/ctr", "touch " + precious.resolve("ctr-was-here")));
        for (String options : new String[] {"TARDIS_JAVA_OPTS", "JAVA_TOOL_OPTIONS"}) {
            settings.put(options, "-Xlog:all:file=" + precious.resolve(options));
        }
        settings.put("TARDIS_RETENTION", "1s");
        for (String id : new String[] {"first", "second", "third"}) {
            file("precious/checkpoint/default/" + id + "/file", "a checkpoint");
            file("precious/state/containers/default/" + id + "/last-life.json", "{}");
        }
        return settings;
    }

    private String folder(String name) {
        return lab.scratch().folder(name).toString();
    }

    private String program(String name, String script) throws IOException {
        String path = file(name, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(Path.of(path), PosixFilePermissions.fromString("rwxr-xr-x"));
        return path;
    }

    private String file(String name, String text) throws IOException {
        Path path = lab.scratch().root().resolve(name);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
        setReadLongAgo(path);
        return path.toString();
    }

    /**
     * Everything that is there. When a file was last read is part of it: set to long ago, that is
     * noted by most mounts at the next reading.
     */
    private Map<String, String> tree() throws IOException {
        Map<String, String> found = new TreeMap<>();
        try (Stream<Path> paths = Files.walk(lab.scratch().root().resolve("precious"))) {
            for (Path path : paths.toList()) {
                BasicFileAttributes attributes = times(path).readAttributes();
                String what = "of " + attributes.lastModifiedTime();
                if (attributes.isRegularFile()) {
                    what += ", read " + attributes.lastAccessTime() + ": " + Files.readString(path);
                    setReadLongAgo(path);
                }
                found.put(path.toString(), what);
            }
        }
        return found;
    }

    private static void setReadLongAgo(Path file) throws IOException {
        times(file).setTimes(null, LONG_AGO, null);
    }

    private static BasicFileAttributeView times(Path path) {
        return Files.getFileAttributeView(
                path, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    }
}
