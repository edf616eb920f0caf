package io.tardis.it;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A private containerd with a private Tardis beside it, in a temporary folder. Registered as a
 * static extension, it lives as long as the test class; as an instance's, a new one is made for
 * each test. The daemon is not started: the first enabled container does that, or the test.
 *
 * <p>After each test the log is looked through: an ERROR that the test did not announce fails it.
 * After a failure, logs and state are copied to {@code target/it-evidence}.
 */
final class Lab
        implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, AfterAllCallback {

    private static final List<String> EVIDENCE = List.of("containerd", "tardis");

    private final boolean withTardis;
    private final Map<String, Function<TardisNode, String>> settings = new TreeMap<>();
    private final AtomicInteger ids = new AtomicInteger();
    private @Nullable Scratch scratch;
    private @Nullable Containerd containerd;
    private @Nullable TardisNode tardis;
    private @Nullable Thread atExit;
    private boolean shared;
    private final List<String> expectedErrors = new ArrayList<>();
    private int errorsBefore;

    private Lab(boolean withTardis) {
        this.withTardis = withTardis;
    }

    /** Changes a setting of Tardis, before the lab is opened. */
    Lab setting(String key, String value) {
        return setting(key, _ -> value);
    }

    /** The same for a value that depends on what a node has if nothing is changed. */
    Lab setting(String key, Function<TardisNode, String> value) {
        settings.put(key, value);
        return this;
    }

    /** With the installation of the build. */
    static Lab withTardis() {
        return new Lab(true);
    }

    /** Without Tardis: containers run with plain runc. */
    static Lab withPlainRunc() {
        return new Lab(false);
    }

    Scratch scratch() {
        return Objects.requireNonNull(scratch, "the lab is closed");
    }

    Containerd containerd() {
        return Objects.requireNonNull(containerd, "the lab is closed");
    }

    TardisNode tardis() {
        return Objects.requireNonNull(tardis, "the lab has no Tardis");
    }

    /** A container in {@code default}, run by {@code tardis-runc} where the lab has Tardis. */
    Container container(String id) {
        return container("default", id);
    }

    Container container(String namespace, String id) {
        String runtime = withTardis ? tardis().runtime() : Programs.find("runc").toString();
        return new Container(containerd(), runtime, namespace, id);
    }

    /** A container in {@code default} with an id that no other test of the lab has. */
    Container freshContainer() {
        return container("tc" + ids.incrementAndGet());
    }

    /** The test brings about something that Tardis rightly logs as an ERROR. */
    void expectErrors() {
        expectErrors("");
    }

    /** The same for errors that contain a text; another one still fails the test. */
    void expectErrors(String text) {
        expectedErrors.add(text);
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        shared = true;
        open();
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        if (!shared) {
            open();
        }
        expectedErrors.clear();
        errorsBefore = errors().size();
    }

    @Override
    public void afterEach(ExtensionContext context) {
        try {
            List<String> errors = errors();
            List<String> unexpected =
                    errors.stream()
                            .skip(errorsBefore)
                            .filter(error -> expectedErrors.stream().noneMatch(error::contains))
                            .toList();
            boolean failed = context.getExecutionException().isPresent();
            boolean logged = !unexpected.isEmpty();
            if (failed || logged) {
                keepEvidence(context);
            }
            if (logged && !failed) {
                throw new AssertionError(
                        "Tardis logged at ERROR:\n" + String.join("\n", unexpected));
            }
        } finally {
            if (!shared) {
                close();
            }
        }
    }

    @Override
    public void afterAll(ExtensionContext context) {
        if (shared) {
            close();
        }
    }

    private void open() {
        Scratch folder = Scratch.create();
        scratch = folder;
        // For an interrupted build; a test run that comes to its end has closed the lab before.
        Thread hook = new Thread(this::close, "tardis-it-clean-up");
        atExit = hook;
        Runtime.getRuntime().addShutdownHook(hook);
        Map<String, String> environment = Map.of();
        if (withTardis) {
            Path socket = folder.root().resolve("containerd/containerd.sock");
            TardisNode node =
                    new TardisNode(
                            TardisInstallation.fromBuild(),
                            folder.root().resolve("tardis"),
                            socket);
            if (!Machine.isWitnessOn()) {
                node = node.with("TARDIS_KERNEL_WITNESS", "off");
            }
            for (Map.Entry<String, Function<TardisNode, String>> setting : settings.entrySet()) {
                node = node.with(setting.getKey(), setting.getValue().apply(node));
            }
            tardis = node;
            environment = node.environment();
        }
        Containerd daemon = new Containerd(folder, environment);
        containerd = daemon;
        daemon.start();
    }

    /** Takes everything down, containers first, while Tardis can still see them go. */
    private synchronized void close() {
        Scratch folder = scratch;
        if (folder == null) {
            return;
        }
        Containerd openContainerd = containerd;
        TardisNode openTardis = tardis;
        scratch = null;
        containerd = null;
        tardis = null;
        try (folder;
                openTardis;
                openContainerd) {
            if (atExit != null && Thread.currentThread() != atExit) {
                boolean _ = Runtime.getRuntime().removeShutdownHook(atExit);
            }
        }
    }

    private List<String> errors() {
        return tardis == null ? List.of() : tardis.errors();
    }

    private void keepEvidence(ExtensionContext context) {
        String test =
                context.getRequiredTestClass().getSimpleName()
                        + "."
                        + context.getRequiredTestMethod().getName();
        Path target =
                Path.of(System.getProperty("tardis.it.evidence", "target/it-evidence"))
                        .resolve(test);
        scratch().copy(EVIDENCE, target);
        try {
            Files.writeString(
                    Files.createDirectories(target).resolve("failure.txt"),
                    context.getExecutionException()
                            .map(Lab::trace)
                            .orElse("errors in tardis.log\n"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        System.err.println(test + " failed; logs and state are in " + target);
    }

    private static String trace(Throwable failure) {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        return text.toString();
    }
}
