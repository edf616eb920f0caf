package io.tardis.it;

import static io.tardis.it.Wait.SOON;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

/**
 * A dockerd of our own on a containerd of our own, with one image: its folders and socket are in a
 * {@link Scratch}, and it changes no network.
 */
final class Dockerd implements AutoCloseable {

    static final String IMAGE = "tardis-test";

    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Path folder;
    private final LiveProcess process;

    private Dockerd(Path folder, LiveProcess process) {
        this.folder = folder;
        this.process = process;
    }

    /** Starts it; where no dockerd is installed the test is skipped. */
    static Dockerd orSkip(Scratch scratch, Containerd containerd) {
        Assumptions.assumeTrue(
                Programs.search("dockerd").isPresent() && Programs.search("docker").isPresent(),
                "no dockerd or docker is on PATH");
        Path folder = scratch.folder("docker");
        LiveProcess process =
                Command.of(
                                Programs.find("dockerd").toString(),
                                "--containerd=" + containerd.socket(),
                                "--host=unix://" + folder.resolve("docker.sock"),
                                "--data-root=" + folder.resolve("data"),
                                "--exec-root=" + folder.resolve("exec"),
                                "--pidfile=" + folder.resolve("docker.pid"),
                                "--bridge=none",
                                "--iptables=false",
                                "--ip6tables=false",
                                "--storage-driver=vfs",
                                "--group=root")
                        .with("PATH", Programs.path())
                        .start(folder.resolve("dockerd.log"));
        Dockerd docker = new Dockerd(folder, process);
        Wait.until(
                () -> "answer from dockerd, which wrote:\n" + process.output(),
                SOON,
                () -> !process.isAlive() || docker.docker("version").code() == 0);
        Path image = folder.resolve("image.tar");
        Command.of("tar", "-C", containerd.rootfs().toString(), "-cf", image.toString(), ".")
                .run()
                .orFail();
        docker.docker("import", image.toString(), IMAGE).orFail();
        return docker;
    }

    Outcome docker(String... arguments) {
        List<String> argv = new ArrayList<>();
        argv.add(Programs.find("docker").toString());
        argv.add("--host=unix://" + folder.resolve("docker.sock"));
        argv.addAll(List.of(arguments));
        return Command.of(argv).within(PATIENCE).run();
    }

    /** Starts a container; returns its id. */
    String run(String name, String script, String... options) {
        List<String> words =
                new ArrayList<>(List.of("run", "--detach", "--name", name, "--network", "none"));
        words.addAll(List.of(options));
        words.addAll(List.of(IMAGE, "sh", "-c", script));
        return docker(words.toArray(String[]::new)).orFail().out().strip();
    }

    /** Runs a container and removes it; returns its exit code. Its id is in the file. */
    int runToItsEnd(Path idFile, String script) {
        String file = idFile.toString();
        return docker(
                        "run",
                        "--rm",
                        "--cidfile",
                        file,
                        "--network",
                        "none",
                        IMAGE,
                        "sh",
                        "-c",
                        script)
                .code();
    }

    /** Its containers end, then it. */
    @Override
    public void close() {
        for (String id : docker("ps", "--all", "--quiet").out().lines().toList()) {
            docker("rm", "--force", id);
        }
        process.close();
    }
}
