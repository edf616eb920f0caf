package io.tardis.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.module.ModuleReader;
import java.lang.module.ResolvedModule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files that this process runs from, Java's among them, and the path by which their successor
 * will be found: a link to the directory of one version, or that directory itself.
 */
final class Installation {

    private static final Logger LOG = LoggerFactory.getLogger(Installation.class);

    /**
     * But for the kinds of cache: hundreds, which would take 5 MB, and the caches are made before
     * the daemon serves. The names of theirs are capital letters, one for each property.
     */
    private static final Pattern CLASS_FILE =
            Pattern.compile(
                    "(?!META-INF/|com/github/benmanes/caffeine/cache/[A-Z]{2,}\\.)"
                            + "(.+)(?<!module-info)\\.class");

    private final Path path;
    private final Path home;
    private final List<Path> files;
    private final Map<Path, String> unchanged;

    /**
     * An installation.
     *
     * @param path leads to the version that is installed
     * @param home the directory of the version that runs, without links
     * @param java the directory of the Java that runs
     */
    Installation(Path path, Path home, Path java) {
        this.path = path;
        this.home = home;
        try (Stream<Path> lib = Files.walk(home.resolve("lib"))) {
            // Not the AOT cache: a new one has a new inode, and the old one is mapped.
            files =
                    Stream.concat(
                                    lib.filter(it -> it.toString().matches(".+\\.(jar|so)")),
                                    Stream.of("lib/modules", "lib/server/libjvm.so")
                                            .map(java::resolve))
                            .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        unchanged = state();
        unchanged.put(path, home.toString()); // a link may lead elsewhere by now
    }

    /** The one that this process runs from, if {@code bin/tardis} has started it as a daemon. */
    static Optional<Installation> own() {
        String home = System.getProperty("tardis.home", "");
        String path = System.getProperty("tardis.path", "");
        return home.isEmpty() || path.isEmpty()
                ? Optional.empty()
                : Optional.of(
                        new Installation(
                                Path.of(path),
                                Path.of(home),
                                Path.of(System.getProperty("java.home"))));
    }

    /** The {@code tardis} script of the version that {@link #path} leads to now. */
    Path program() {
        return path.resolve("bin/tardis");
    }

    /** What {@link #state} answers while nothing is replaced. */
    Map<Path, String> unchanged() {
        return unchanged;
    }

    /** What is there now: where the path leads, and each file's identity. */
    Map<Path, String> state() {
        Map<Path, String> state = new TreeMap<>();
        state.put(path, textOf(path::toRealPath));
        // The time of the last change, which no copy can preserve as it does the other one.
        files.forEach(it ->
                state.put(it, textOf(() -> Files.readAttributes(it, "unix:dev,ino,size,ctime"))));
        return state;
    }

    /** Of what is seen, or of why nothing is. */
    private static String textOf(Callable<?> look) {
        try {
            return look.call().toString();
        } catch (Exception e) {
            return e.toString();
        }
    }

    /**
     * Loads the classes that are not loaded yet, so that none is looked for in a file that was
     * replaced. For a daemon thread: it takes some 0.3 s of a processor, and 1.5 s without an AOT
     * cache.
     */
    void loadClasses() {
        for (ResolvedModule module : ModuleLayer.boot().configuration().modules()) {
            boolean installed =
                    module.reference()
                            .location()
                            .filter(it -> "file".equals(it.getScheme()))
                            .filter(it -> Path.of(it).startsWith(home))
                            .isPresent();
            if (installed) {
                loadClasses(module);
            }
        }
        LOG.debug("all classes are loaded");
    }

    private static void loadClasses(ResolvedModule resolved) {
        Module module = ModuleLayer.boot().findModule(resolved.name()).orElseThrow();
        try (ModuleReader reader = resolved.reference().open();
                Stream<String> entries = reader.list()) {
            entries.map(CLASS_FILE::matcher)
                    .filter(Matcher::matches)
                    .map(it -> it.group(1).replace('/', '.'))
                    .forEach(name -> loadClass(module, name));
        } catch (IOException | UncheckedIOException e) {
            LOG.warn(
                    "the classes of {} are loaded only when they are needed: {}",
                    resolved.name(),
                    e.toString());
        }
    }

    private static void loadClass(Module module, String name) {
        try {
            Class<?> _ = Class.forName(module, name);
        } catch (LinkageError e) {
            LOG.trace("{} needs a library that is not installed, and is never used", name, e);
        }
    }
}
