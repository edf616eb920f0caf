package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import io.tardis.listener.RunningContainers.Found;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunningContainersTest {

    private static final String ADDRESS = "/nonexistent/containerd/containerd.sock";
    private static final String OTHER = "/nonexistent/other/containerd.sock";

    @TempDir private Path folder;
    private Path proc;
    private Path tasks;

    @BeforeEach
    void createFolders() throws IOException {
        proc = Files.createDirectory(folder.resolve("proc"));
        tasks = folder.resolve("state/io.containerd.runtime.v2.task");
        Files.createDirectories(tasks);
    }

    @Test
    void findsAllBundlesBesideThatOfAShim() throws IOException {
        Path first = bundle("default", "first", "101");
        Path second = bundle("default", "second", "102\n");
        Path third = bundle("k8s.io", "third", "103");
        shim(10, "default", "first", ADDRESS, first);
        shim(11, "k8s.io", "third", ADDRESS, third);

        assertThat(find())
                .containsExactlyInAnyOrder(
                        found(new ContainerKey("default", "first"), first, 101),
                        found(new ContainerKey("default", "second"), second, 102),
                        found(new ContainerKey("k8s.io", "third"), third, 103));
    }

    @Test
    void findsThemThoughTheBundleOfTheShimIsRemoved() throws IOException {
        Path second = bundle("default", "second", "102");
        Path removed = tasks.resolve("default/first (deleted)");
        shim(10, "default", "first", ADDRESS, removed);

        assertThat(find())
                .containsExactly(found(new ContainerKey("default", "second"), second, 102));
    }

    /** A container can have a process that looks like a shim, and files that look like a bundle. */
    @Test
    void believesNoProcessOfAnotherMountNamespace() throws IOException {
        Path forged = bundle("default", "forged", "101");
        shim(9, "default", "forged", ADDRESS, forged);
        Path link = proc.resolve("9/ns/mnt");
        Files.delete(link);
        Files.createSymbolicLink(link, Path.of("mnt:[2]"));

        assertThat(find()).isEmpty();
    }

    @Test
    void findsNothingOfAnotherContainerd() throws IOException {
        shim(10, "default", "first", OTHER, bundle("default", "first", "101"));

        assertThat(find()).isEmpty();
        assertThat(new RunningContainers(proc).find(OTHER)).hasSize(1);
    }

    @Test
    void findsAContainerdByAnotherNameOfItsFolder() throws IOException {
        Path run = Files.createDirectory(folder.resolve("run"));
        Path link = Files.createSymbolicLink(folder.resolve("var-run"), run);
        shim(10, "ns", "c", link.resolve("c.sock").toString(), bundle("ns", "c", "101"));

        assertThat(new RunningContainers(proc).find(run.resolve("c.sock").toString())).hasSize(1);
        assertThat(new RunningContainers(proc).find(run.resolve("d.sock").toString())).isEmpty();
    }

    @Test
    void skipsProcessesThatAreNoShims() throws IOException {
        Path bundle = bundle("default", "first", "101");
        process(10, bundle, "/usr/bin/ctr", "-address", ADDRESS);
        process(11, bundle, "containerd-shim-runc-v2", "-namespace", "default");
        process(12, bundle, "containerd-shim-runc-v2", "-address");
        process(13, bundle);
        process(14, bundle, "containerd-shim-runc-v2", "-address", ADDRESS, "x".repeat(10_000));
        process(15, tasks, "containerd-shim-runc-v2", "-address", ADDRESS);
        process(16, Path.of("/"), "containerd-shim-runc-v2", "-address", ADDRESS);
        Files.createDirectories(proc.resolve("17"));
        Files.createDirectories(proc.resolve("self"));
        Files.writeString(proc.resolve("18"), "");

        assertThat(find()).isEmpty();
    }

    @Test
    void skipsWhatIsNoContainer() throws IOException {
        Path good = bundle("default", "good", "101");
        shim(10, "default", "good", ADDRESS, good);
        bundle("default", ".hidden", "102");
        bundle("-ns", "c", "103");
        bundle("default", "zero", "0");
        bundle("default", "negative", "-1");
        bundle("default", "text", "pid");
        bundle("default", "huge", "9".repeat(20));
        bundle("default", "long", "1" + "\n".repeat(100));
        bundle("default", "empty", "");
        Files.createDirectories(tasks.resolve("default/nothing"));
        Files.writeString(tasks.resolve("default/file"), "");
        Files.writeString(tasks.resolve("file"), "");
        Files.createDirectories(tasks.resolve("default/directory/init.pid"));
        Path linked = Files.createDirectories(tasks.resolve("default/linked"));
        Files.createSymbolicLink(linked.resolve("init.pid"), good.resolve("init.pid"));

        assertThat(find()).containsExactly(found(new ContainerKey("default", "good"), good, 101));
    }

    @Test
    void findsNothingWithoutProcesses() throws IOException {
        assertThat(find()).isEmpty();
        Files.delete(proc);
        assertThat(find()).isEmpty();
    }

    @Test
    void readsTheRealProcesses() {
        assertThat(RunningContainers.of(ADDRESS)).isEmpty();
    }

    @Test
    void findsTheAddressThatCtrUses() {
        String standard = "/run/containerd/containerd.sock";
        Map<String, String> set = Map.of("CONTAINERD_ADDRESS", "/e.sock");

        assertThat(RunningContainers.address(List.of("ctr", "events"), Map.of()))
                .isEqualTo(standard);
        assertThat(RunningContainers.address(List.of("ctr", "events"), set)).isEqualTo("/e.sock");
        for (String option : List.of("-a", "--a", "-address", "--address")) {
            assertThat(RunningContainers.address(List.of("ctr", option, "/o.sock", "events"), set))
                    .isEqualTo("/o.sock");
            assertThat(
                            RunningContainers.address(
                                    List.of("ctr", option + "=/o.sock", "events"), set))
                    .isEqualTo("/o.sock");
        }
        assertThat(
                        RunningContainers.address(
                                List.of("env", "CONTAINERD_ADDRESS=/v.sock", "ctr", "events"), set))
                .isEqualTo("/v.sock");
        assertThat(
                        RunningContainers.address(
                                List.of("ctr", "events"), Map.of("CONTAINERD_ADDRESS", "")))
                .isEqualTo(standard);
        assertThat(RunningContainers.address(List.of("ctr", "-a"), Map.of())).isEqualTo(standard);
    }

    private List<Found> find() {
        return new RunningContainers(proc).find(ADDRESS);
    }

    private static Found found(ContainerKey container, Path bundle, long pid) throws IOException {
        Instant createdAt = Files.getLastModifiedTime(bundle.resolve("init.pid")).toInstant();
        return new Found(container, bundle, pid, createdAt);
    }

    private Path bundle(String namespace, String id, String pid) throws IOException {
        Path bundle = Files.createDirectories(tasks.resolve(namespace).resolve(id));
        Files.writeString(bundle.resolve("init.pid"), pid);
        return bundle;
    }

    private void shim(long pid, String namespace, String id, String address, Path bundle)
            throws IOException {
        process(
                pid,
                bundle,
                "/usr/bin/containerd-shim-runc-v2",
                "-namespace",
                namespace,
                "-id",
                id,
                "-address",
                address);
    }

    private static void view(Path process, String namespace) throws IOException {
        Path namespaces = Files.createDirectories(process.resolve("ns"));
        Files.createSymbolicLink(namespaces.resolve("mnt"), Path.of("mnt:[" + namespace + "]"));
        Files.createSymbolicLink(namespaces.resolve("pid"), Path.of("pid:[1]"));
        Files.createSymbolicLink(process.resolve("root"), Path.of("/"));
    }

    private void process(long pid, Path workingDirectory, String... words) throws IOException {
        Path directory = Files.createDirectory(proc.resolve(Long.toString(pid)));
        view(directory, "1");
        if (!Files.exists(proc.resolve("self"))) {
            view(Files.createDirectory(proc.resolve("self")), "1");
        }
        Files.createSymbolicLink(directory.resolve("cwd"), workingDirectory);
        Files.writeString(directory.resolve("cmdline"), String.join("\0", words) + "\0");
    }
}
