package io.tardis.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.Utf8Entry;
import java.lang.module.ModuleReader;
import java.lang.module.ResolvedModule;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Which package uses which, read from the classes. Data runs one way: listener, PUB, store, REP. No
 * part calls one that comes after it, and the store does not know the registry.
 */
class DependenciesTest {

    private static final String TARDIS = "io.tardis.";

    /** Used by this module's tests, whose classes are read with its own. */
    private static final String TESTKIT = "testkit";

    /** A class of Tardis in a descriptor, a signature, or the name of a class. */
    private static final Pattern CLASS = Pattern.compile("io/tardis/([a-z/]+)/[A-Z]");

    private static final Map<String, Set<String>> USES =
            Map.ofEntries(
                    uses("core"),
                    uses("core.event"),
                    uses("core.curve", "core"),
                    uses("core.config", "core", "core.curve"),
                    uses("core.figures", "core.event"),
                    uses("core.registry", "core", "core.event"),
                    uses("core.spec", "core", "core.event"),
                    uses("core.wire", "core", "core.event", "core.figures"),
                    uses("core.zmq", "core", "core.config", "core.curve"),
                    uses(
                            "core.client",
                            "core",
                            "core.event",
                            "core.figures",
                            "core.wire",
                            "core.zmq"),
                    uses(
                            "listener",
                            "core",
                            "core.client",
                            "core.config",
                            "core.event",
                            "core.figures",
                            "core.registry",
                            "core.spec",
                            "core.wire",
                            "core.zmq"),
                    uses(
                            "store",
                            "core",
                            "core.config",
                            "core.event",
                            "core.figures",
                            "core.wire",
                            "core.zmq"),
                    uses("runc", "core", "core.event", "core.registry", "core.spec", "core.wire"),
                    uses(
                            "cli",
                            "core",
                            "core.client",
                            "core.config",
                            "core.curve",
                            "core.event",
                            "core.figures",
                            "core.registry",
                            "core.wire",
                            "core.zmq",
                            "listener",
                            "runc",
                            "store"));

    private static Map.Entry<String, Set<String>> uses(String from, String... packages) {
        return Map.entry(from, Set.of(packages));
    }

    @Test
    void aPackageUsesNoOtherThanThese() throws IOException {
        Map<String, Set<String>> uses = uses();

        assertThat(uses).isEqualTo(USES);
    }

    private static Map<String, Set<String>> uses() throws IOException {
        Map<String, Set<String>> uses = new TreeMap<>();
        for (ResolvedModule module : ModuleLayer.boot().configuration().modules()) {
            if (module.name().startsWith(TARDIS)) {
                try (ModuleReader reader = module.reference().open();
                        Stream<String> names = reader.list()) {
                    for (String name : names.toList()) {
                        if (name.endsWith(".class") && name.startsWith("io/tardis/")) {
                            byte[] bytes = reader.read(name).orElseThrow().array();
                            String from = name.substring(10, name.lastIndexOf('/'));
                            uses.computeIfAbsent(from.replace('/', '.'), _ -> new TreeSet<>())
                                    .addAll(usedBy(bytes, from));
                        }
                    }
                }
            }
        }
        return uses;
    }

    private static Set<String> usedBy(byte[] bytes, String own) {
        Set<String> used = new TreeSet<>();
        ClassFile.of()
                .parse(bytes)
                .constantPool()
                .forEach(entry -> {
                    if (entry instanceof Utf8Entry text) {
                        Matcher matcher = CLASS.matcher(text.stringValue());
                        while (matcher.find()) {
                            String other = matcher.group(1);
                            if (!other.equals(own) && !other.equals(TESTKIT)) {
                                used.add(other.replace('/', '.'));
                            }
                        }
                    }
                });
        return used;
    }
}
