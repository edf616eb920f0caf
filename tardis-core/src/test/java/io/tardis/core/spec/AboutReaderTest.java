package io.tardis.core.spec;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.About;
import io.tardis.core.event.About.Pod;
import io.tardis.testkit.CapturedLog;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.event.Level;

@Timeout(60)
class AboutReaderTest {

    /** The container of the real file from Docker. */
    private static final String ID =
            "0269c7a2a2c6209a38dac56f161cbf42be82b3d61670588dba77ee136fabb59c";

    private static final String SECRET = "s3cret";

    @TempDir private Path folder;
    private Path bundle;

    @BeforeEach
    void makeBundle() throws IOException {
        bundle = Files.createDirectory(folder.resolve(ID));
    }

    @Test
    void readsWhatContainerdsCriSays() throws IOException {
        write(real("config-cri-container-containerd-2.1.9.json"));

        assertThat(read())
                .isEqualTo(
                        new About(
                                Optional.of("sh"),
                                Optional.of("docker.io/local/bb:1"),
                                Optional.empty(),
                                Optional.empty(),
                                pod("shop", "pod-childoom", "6f1c-childoom"),
                                Optional.of("childoom"),
                                false));
    }

    @Test
    void marksASandboxOfContainerdsCri() throws IOException {
        write(real("config-cri-sandbox-containerd-2.1.9.json"));

        assertThat(read())
                .isEqualTo(
                        new About(
                                Optional.of("sleep"),
                                Optional.of("local/bb:1"),
                                Optional.empty(),
                                Optional.empty(),
                                pod("shop", "pod-slow", "6f1c-slow"),
                                Optional.empty(),
                                true));
    }

    @Test
    void readsWhatDockerKeepsBesideTheMountedFiles() throws IOException {
        writeDockers();
        Files.writeString(
                dockerDirectory().resolve("config.v2.json"),
                """
                {"StreamConfig":{},"ID":"%s","Path":"/bin/nonexistent","Args":["s3cret"],
                 "Config":{"Hostname":"x","Env":["A=s3cret"],"Cmd":["s3cret"],"Image":"bb:1"},
                 "Image":"sha256:4b825dc","LogPath":"/s3cret","Name":"/tc","Driver":"vfs"}
                """
                        .formatted(ID));

        assertThat(read())
                .isEqualTo(docker(Optional.of("bb:1"), Optional.of("tc")))
                .asString()
                .doesNotContain(SECRET);
    }

    @Test
    void readsTheSpecWhereDockersOwnFileIsMissing() throws IOException {
        writeDockers();

        assertThat(read()).isEqualTo(docker(Optional.empty(), Optional.empty()));
    }

    @Test
    void readsAsFarAsDockersOwnFileGoes() throws IOException {
        writeDockers();
        Files.writeString(dockerDirectory().resolve("config.v2.json"), "{\"Name\":\"/tc\",\"Con");

        assertThat(read()).isEqualTo(docker(Optional.empty(), Optional.of("tc")));
    }

    @Test
    void doesNotReadTheNotesOfAnotherContainer() throws IOException {
        writeDockers();
        Files.writeString(dockerDirectory().resolve("config.v2.json"), "{\"Name\":\"/tc\"}");
        Path other = Files.createDirectory(folder.resolve("other"));
        Files.move(bundle.resolve("config.json"), other.resolve("config.json"));

        assertThat(AboutReader.read(other, "").name()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"destination\":\"/etc/passwd\",\"source\":\"%s/hostname\"}",
                "{\"destination\":\"/etc/hostname\",\"source\":\"%s/hosts\"}",
                "{\"destination\":\"/etc/hostname\",\"source\":\"%s/sub/hostname\"}",
                "{\"destination\":\"/etc/hostname\",\"source\":[\"%s/hostname\"]}"
            })
    void doesNotTakeAnotherMountForDockers(String mount) throws IOException {
        Files.createDirectories(dockerDirectory().resolve("sub"));
        Files.writeString(dockerDirectory().resolve("config.v2.json"), "{\"Name\":\"/tc\"}");
        write("{\"mounts\":[" + mount.formatted(dockerDirectory()) + "]}");

        assertThat(read()).isEqualTo(About.NOTHING);
    }

    @ParameterizedTest
    @ValueSource(strings = {"link", "fifo", "directory", "huge", "text"})
    void doesWithoutDockersFileIfItIsNoOrdinaryOne(String kind) throws Exception {
        writeDockers();
        makeOdd(dockerDirectory().resolve("config.v2.json"), kind, "{\"Name\":\"/tc\"}", 1 << 20);

        assertThat(read()).isEqualTo(docker(Optional.empty(), Optional.empty()));
    }

    @Test
    void survivesAMountThatIsNoPath() throws IOException {
        write(
                """
                {"mounts":[{"destination":"/etc/hosts","source":"/\\u0000/containers/%s/hosts"}],
                 "hostname":"h"}
                """
                        .formatted(ID));

        assertThat(read().hostname()).hasValue("h");
    }

    /** The keys of CRI-O 1.37; it copies the kubelet's labels. */
    @Test
    void readsWhatCriOSays() throws IOException {
        annotate(
                """
                "io.container.manager":"cri-o",
                "io.kubernetes.cri-o.ContainerType":"container",
                "io.kubernetes.cri-o.Image":"9f86d081884c",
                "io.kubernetes.cri-o.ImageName":"quay.io/shop/web:3",
                "io.kubernetes.cri-o.Name":"k8s_web_web-0_shop_6f1c_0",
                "io.kubernetes.cri-o.Labels":"{\\"s3cret\\":\\"s3cret\\"}",
                "io.kubernetes.container.name":"web",
                "io.kubernetes.pod.name":"web-0",
                "io.kubernetes.pod.namespace":"shop",
                "io.kubernetes.pod.uid":"6f1c"
                """);

        assertThat(read())
                .isEqualTo(
                        new About(
                                Optional.empty(),
                                Optional.of("quay.io/shop/web:3"),
                                Optional.empty(),
                                Optional.empty(),
                                pod("shop", "web-0", "6f1c"),
                                Optional.of("web"),
                                false));
    }

    @Test
    void marksASandboxOfCriO() throws IOException {
        annotate(
                """
                "io.kubernetes.cri-o.ContainerType":"sandbox",
                "io.kubernetes.cri-o.Image":"registry.k8s.io/pause:3.10",
                "io.kubernetes.cri-o.ImageName":"",
                "io.kubernetes.container.name":"POD",
                "io.kubernetes.pod.name":"web-0",
                "io.kubernetes.pod.namespace":"shop"
                """);

        About about = read();

        assertThat(about.sandbox()).isTrue();
        assertThat(about.podContainer()).isEmpty();
        assertThat(about.pod()).hasValue(new Pod("shop", "web-0", Optional.empty()));
        assertThat(about.image()).hasValue("registry.k8s.io/pause:3.10");
    }

    @Test
    void readsNerdctlsName() throws IOException {
        annotate(
                """
                "nerdctl/name":"tc","nerdctl/namespace":"default","nerdctl/platform":"linux/amd64",
                "nerdctl/state-dir":"/var/lib/nerdctl/1935db59/containers/default/%s"
                """
                        .formatted(ID));

        assertThat(read().name()).hasValue("tc");
    }

    /** Podman 6.0 writes these annotations; none has a name. */
    @Test
    void readsTheSpecOfPodman() throws IOException {
        write(
                """
                {"process":{"args":["/usr/bin/sleep","9"]},"hostname":"0269c7a2a2c6",
                 "annotations":{"io.container.manager":"libpod",
                 "org.opencontainers.image.stopSignal":"15"}}
                """);

        assertThat(read())
                .isEqualTo(
                        new About(
                                Optional.of("sleep"),
                                Optional.empty(),
                                Optional.empty(),
                                Optional.of("0269c7a2a2c6"),
                                Optional.empty(),
                                Optional.empty(),
                                false));
    }

    @ParameterizedTest
    @CsvSource({
        "/usr/bin/java, java",
        "java, java",
        "./a b, a",
        "/bin/app --token=s3cret, app",
        "app\\t--url=http://x/s3cret, app",
        "' /bin/app', ''",
        "/bin/, ''",
        "/, ''",
        "'', ''"
    })
    void readsNoMoreOfTheArgumentsThanTheProgramsName(String argument, String command)
            throws IOException {
        write(
                """
                {"process":{"env":["TOKEN=s3cret"],"args":["%s","s3cret"],"cwd":"/s3cret",
                 "commandLine":"s3cret"},"hooks":{"prestart":[{"path":"/s3cret"}]},
                 "annotations":{"token":"s3cret"}}
                """
                        .formatted(argument));

        About about = read();

        assertThat(about.command().orElse("")).isEqualTo(command);
        assertThat(about.toString()).doesNotContain(SECRET);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"process\":{\"args\":[]}}",
                "{\"process\":{\"args\":null}}",
                "{\"process\":{\"args\":\"/bin/app\"}}",
                "{\"process\":{\"args\":[7,\"s3cret\"]}}",
                "{\"process\":{\"args\":[{\"a\":\"s3cret\"},\"s3cret\"]}}",
                "{\"process\":{\"args\":[\"/bin/app\"]},\"process\":null}",
                "{\"process\":{\"args\":[\"/bin/app\"],\"Args\":[]}}",
                "{\"args\":[\"/bin/app\"]}"
            })
    void knowsNoCommandWhereThereIsNone(String config) throws IOException {
        write(config);

        assertThat(read()).isEqualTo(About.NOTHING);
    }

    @Test
    void takesNoPartOfAnArgumentThatIsTooLongForAProgram() throws IOException {
        write("{\"process\":{\"args\":[\"" + "/s3cret".repeat(1000) + "\"]}}");

        assertThat(read()).isEqualTo(About.NOTHING);
    }

    @Test
    void readsFieldsInAnyCaseAndTheLastOneAsRuncDoes() throws IOException {
        write(
                """
                {"Process":{"ARGS":["a"]},"process":{"cwd":"/","args":["b"]},
                 "HOSTNAME":"h","hostname":"i","hostname":null}
                """);

        assertThat(read().command()).hasValue("b");
        assertThat(read().hostname()).hasValue("i");
    }

    @Test
    void readsAnnotationsInTheirOwnCaseOnly() throws IOException {
        write(
                """
                {"annotations":{"nerdctl/name":"a"},
                 "ANNOTATIONS":{"nerdctl/name":"b","Nerdctl/Name":"c","nerdctl/name":"d",
                 "NERDCTL/NAME":"e"}}
                """);

        assertThat(read().name()).hasValue("d");
    }

    @Test
    void forgetsAnnotationsThatAreTakenBack() throws IOException {
        write("{\"annotations\":{\"nerdctl/name\":\"a\"},\"annotations\":null}");

        assertThat(read()).isEqualTo(About.NOTHING);
    }

    @Test
    void finds1In10000Annotations() throws IOException {
        annotate(
                IntStream.range(0, 10_000)
                                .mapToObj("\"io.kubernetes.cri.%d\":\"x\","::formatted)
                                .collect(Collectors.joining())
                        + "\"nerdctl/name\":\"tc\"");

        assertThat(read().name()).hasValue("tc");
    }

    @Test
    void knowsNothingWithoutAConfiguration() {
        assertThat(read()).isEqualTo(About.NOTHING);
        assertThat(AboutReader.read(Path.of("/"), "")).isEqualTo(About.NOTHING);
    }

    @ParameterizedTest
    @ValueSource(strings = {"link", "fifo", "directory", "huge", "text"})
    void knowsNothingIfTheConfigurationIsNoOrdinaryFile(String kind) throws Exception {
        makeOdd(bundle.resolve("config.json"), kind, "{\"hostname\":\"h\"}", 8 << 20);

        assertThat(read()).isEqualTo(About.NOTHING);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "null", "[]", "7", "\"x\"", "\ufeff{}", "\0", "{\"a\":", "}"})
    void knowsNothingFromOtherJson(String config) throws IOException {
        write(config);

        assertThat(read()).isEqualTo(About.NOTHING);
    }

    @Test
    void readsAsFarAsTheConfigurationGoes() throws IOException {
        String real = real("config-cri-container-containerd-2.1.9.json");
        write(real);
        About whole = read();

        for (int length = 0; length < real.length(); length += 7) {
            write(real.substring(0, length));
            About part = read();

            assertThat(part.command()).isIn(Optional.empty(), whole.command());
            assertThat(part.pod().map(Pod::name))
                    .isIn(Optional.empty(), whole.pod().map(Pod::name));
            assertThat(part.image()).isIn(Optional.empty(), whole.image());
        }
    }

    @Test
    void readsAroundWhatIsNestedDeeply() throws IOException {
        write(
                "{\"hostname\":\"h\",\"x\":"
                        + "[".repeat(9_000)
                        + "]".repeat(9_000)
                        + ",\"process\":{"
                        + "\"args\":[\"sh\"]}}");

        assertThat(read().command()).hasValue("sh");

        write("{\"hostname\":\"h\",\"x\":" + "[".repeat(1_000_000));

        assertThat(read().hostname()).hasValue("h");
    }

    @ParameterizedTest
    @CsvSource({
        "a\\u001b[31mb, a?[31mb",
        "a\\u0000\\r\\n\\tb, a????b",
        "a\\u007f\\u0085b, a??b",
        "a\\u2028\\u2029b, a??b",
        "a\\u202e\\u2066\\u200f\\ufeffb, a????b",
        "a\\ud800b, a?b",
        "a\\udc00\\ud800, a??",
        "a\\uffffb, a?b",
        "gr\u00fc\u00df \ud83d\udc33, gr\u00fc\u00df \ud83d\udc33"
    })
    void makesValuesPrintable(String json, String shown) throws IOException {
        write("{\"hostname\":\"" + json + "\"}");

        assertThat(read().hostname()).hasValue(shown);
    }

    @Test
    void readsWhatIsNotUtf8() throws IOException {
        Files.write(
                bundle.resolve("config.json"),
                "{\"hostname\":\"a\u00ffb\",\"process\":{\"args\":[\"/bin/\u00e9\"]}}"
                        .getBytes(StandardCharsets.ISO_8859_1));

        assertThat(read().hostname()).hasValue("a\ufffdb");
        assertThat(read().command()).hasValue("\ufffd");
    }

    @Test
    void cutsAValueThatIsTooLong() throws IOException {
        write("{\"hostname\":\"" + "h".repeat(200) + "\"}");
        assertThat(read().hostname()).hasValue("h".repeat(200));

        write("{\"hostname\":\"" + "h".repeat(201) + "\"}");
        assertThat(read().hostname()).hasValue("h".repeat(199) + "\u2026");

        write("{\"hostname\":\"" + "h".repeat(1_000_000) + "\"}");
        assertThat(read().hostname()).hasValue("h".repeat(199) + "\u2026");
    }

    @Test
    void cutsNoCharacterInTwo() throws IOException {
        String whales = "\ud83d\udc33".repeat(100);
        write("{\"hostname\":\"h" + whales + "\"}");
        assertThat(read().hostname()).hasValue("h" + whales.substring(0, 198) + "\u2026");

        annotate(
                "\"nerdctl/name\":\"%s\",\"io.kubernetes.cri.image-name\":\"%<s\""
                        .formatted(whales));
        assertThat(read().name()).hasValue("\ud83d\udc33".repeat(74) + "\u2026");
        assertThat(bytes(read())).isLessThanOrEqualTo(600);
    }

    @Test
    void cutsTheLongestIfAllTogetherAreTooLong() throws IOException {
        String image = "registry.example/" + "i".repeat(183);
        String name = "p".repeat(63);
        write(
                """
                {"process":{"args":["%s"]},"hostname":"%s","annotations":{
                 "nerdctl/name":"%s",
                 "io.kubernetes.cri.image-name":"%s",
                 "io.kubernetes.cri.sandbox-name":"%s",
                 "io.kubernetes.cri.sandbox-namespace":"%5$s",
                 "io.kubernetes.cri.sandbox-uid":"%5$s",
                 "io.kubernetes.cri.container-name":"%5$s"}}
                """
                        .formatted("c".repeat(200), "h".repeat(200), "n".repeat(200), image, name));

        About about = read();

        assertThat(about.pod()).isEqualTo(pod(name, name, name));
        assertThat(about.podContainer()).hasValue(name);
        assertThat(about.image().orElseThrow())
                .hasSize(85)
                .startsWith("registry.example/iii")
                .endsWith("i\u2026");
        assertThat(bytes(about)).isBetween(590, 600);
    }

    @Test
    void leavesEachOfEightLongValuesAUsablePart() throws IOException {
        String text = "\u4e2d".repeat(300);
        write(
                """
                {"process":{"args":["%1$s"]},"hostname":"%1$s","annotations":{
                 "nerdctl/name":"%1$s",
                 "io.kubernetes.cri.image-name":"%1$s",
                 "io.kubernetes.cri.sandbox-name":"%1$s",
                 "io.kubernetes.cri.sandbox-namespace":"%1$s",
                 "io.kubernetes.cri.sandbox-uid":"%1$s",
                 "io.kubernetes.cri.container-name":"%1$s"}}
                """
                        .formatted(text));

        About about = read();

        assertThat(texts(about)).hasSize(8).containsOnly("\u4e2d".repeat(24) + "\u2026");
        assertThat(bytes(about)).isEqualTo(600);
    }

    @Test
    void takesContainerdsImageWhereTheBundleNamesNone() throws IOException {
        assertThat(AboutReader.read(bundle, "nginx:1").image()).as("no file").hasValue("nginx:1");
        annotate("\"io.kubernetes.cri.image-name\":\" \"");
        assertThat(AboutReader.read(bundle, "nginx:1").image()).as("blank").hasValue("nginx:1");
        assertThat(AboutReader.read(bundle, " ")).isEqualTo(About.NOTHING);

        annotate("\"io.kubernetes.cri.image-name\":\"web:1\"");
        assertThat(AboutReader.read(bundle, "nginx:1").image()).hasValue("web:1");
        writeDockers();
        Files.writeString(
                dockerDirectory().resolve("config.v2.json"), "{\"Config\":{\"Image\":\"own:1\"}}");
        assertThat(AboutReader.read(folder.resolve(ID), "nginx:1").image()).isNotEmpty();
    }

    @Test
    void boundsContainerdsImageAsAllOtherTexts() throws IOException {
        annotate("\"nerdctl/name\":\"" + "é".repeat(200) + "\"");

        About about = AboutReader.read(bundle, "\u001b\u202e" + "é".repeat(200));

        assertThat(about.image().orElseThrow()).startsWith("??é").endsWith("…");
        assertThat(bytes(about)).isLessThanOrEqualTo(600);
    }

    @Test
    void goesWithoutWhatItWouldHaveToWaitFor() throws IOException {
        Path large = Files.writeString(folder.resolve("large"), "{}" + " ".repeat((8 << 20) - 2));
        write("{\"hostname\":\"h\"}");
        long start = System.nanoTime();

        GoJson.read(large, _ -> assertThat(read()).isEqualTo(About.NOTHING));

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2));
        assertThat(read().hostname()).hasValue("h");
    }

    @Test
    void logsNothingOfTheFileAndOnlyForDebugging() throws IOException {
        write("{\"process\":{\"env\":[s3cret]}}");
        try (CapturedLog log = new CapturedLog(AboutReader.class)) {
            assertThat(read()).isEqualTo(About.NOTHING);

            assertThat(log.at(Level.DEBUG))
                    .singleElement()
                    .asString()
                    .contains(bundle.toString())
                    .doesNotContain(SECRET);
            assertThat(log.at(Level.INFO)).isEmpty();
            assertThat(log.at(Level.WARN)).isEmpty();
        }
    }

    private About read() {
        return AboutReader.read(bundle, "");
    }

    private void write(String config) throws IOException {
        Files.writeString(bundle.resolve("config.json"), config);
    }

    private void annotate(String annotations) throws IOException {
        write("{\"annotations\":{" + annotations + "}}");
    }

    private static String real(String file) throws IOException {
        try (InputStream in = AboutReaderTest.class.getResourceAsStream(file)) {
            return new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** With a directory of the test in the place of Docker's own. */
    private void writeDockers() throws IOException {
        Files.createDirectories(dockerDirectory());
        write(
                real("config-docker-28.5.2.json")
                        .replace("/run/private/droot", folder.resolve("docker").toString()));
    }

    private Path dockerDirectory() {
        return folder.resolve("docker/containers").resolve(ID);
    }

    private static About docker(Optional<String> image, Optional<String> name) {
        return new About(
                Optional.of("nonexistent"),
                image,
                name,
                Optional.of("0269c7a2a2c6"),
                Optional.empty(),
                Optional.empty(),
                false);
    }

    private static Optional<Pod> pod(String namespace, String name, String uid) {
        return Optional.of(new Pod(namespace, name, Optional.of(uid)));
    }

    /** Makes {@code file} something that is not read, though {@code json} is in it. */
    private void makeOdd(Path file, String kind, String json, int maxSize) throws Exception {
        switch (kind) {
            case "link" ->
                    Files.createSymbolicLink(
                            file, Files.writeString(folder.resolve("elsewhere"), json));
            case "fifo" ->
                    assertThat(new ProcessBuilder("mkfifo", file.toString()).start().waitFor())
                            .isZero();
            case "directory" -> Files.createDirectory(file);
            case "huge" -> {
                Files.writeString(file, json);
                try (FileChannel sparse = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    sparse.write(ByteBuffer.wrap(new byte[] {' '}), maxSize);
                }
            }
            default -> Files.writeString(file, "no JSON: " + json);
        }
    }

    private static Stream<String> texts(About about) {
        return Stream.of(
                        about.command(),
                        about.image(),
                        about.name(),
                        about.hostname(),
                        about.pod().map(Pod::namespace),
                        about.pod().map(Pod::name),
                        about.pod().flatMap(Pod::uid),
                        about.podContainer())
                .flatMap(Optional::stream);
    }

    private static int bytes(About about) {
        return texts(about).mapToInt(text -> text.getBytes(StandardCharsets.UTF_8).length).sum();
    }
}
