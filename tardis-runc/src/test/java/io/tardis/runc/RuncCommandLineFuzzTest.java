package io.tardis.runc;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.tardis.core.event.ContainerKey;
import io.tardis.runc.LauncherProtocol.Request;
import io.tardis.runc.RuncCommandLine.Create;
import io.tardis.runc.RuncCommandLine.Delete;
import io.tardis.runc.RuncCommandLine.PassThrough;
import io.tardis.runc.RuncCommandLine.Start;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.provider.MethodSource;

/** Any bytes in the place of a launcher's directory and arguments; see CONTRIBUTING.md. */
class RuncCommandLineFuzzTest {

    private static final Path CONTAINERS = Path.of("/var/lib/tardis/containers");

    /** In UTF-8 a byte that is no text becomes three. */
    private static final int LONGEST = LauncherProtocol.MAX_LENGTH / 3;

    static Stream<byte[]> seeds() throws IOException {
        return RuncCommandLineTest.vectors().stream()
                .map(vector -> "/cwd\0" + String.join("\0", vector.arguments()) + "\0")
                .map(text -> text.getBytes(StandardCharsets.UTF_8));
    }

    @MethodSource("seeds")
    @FuzzTest
    void readsAnyBytes(byte[] bytes) throws IOException {
        Request request = bytes.length > LONGEST ? null : request(bytes);
        if (request == null) {
            return;
        }
        ByteArrayOutputStream again = new ByteArrayOutputStream();
        LauncherProtocol.writeRequest(new DataOutputStream(again), request);
        assertThat(LauncherProtocol.readRequest(input(again.toByteArray()))).isEqualTo(request);

        List<String> arguments = request.arguments();
        RuncCommandLine command = RuncCommandLine.parse(arguments, request.directory());

        switch (command) {
            case Create(ContainerKey container, Path _) -> assertInside(container, arguments);
            case Delete(ContainerKey container, boolean _) -> assertInside(container, arguments);
            case Start(ContainerKey container, Path state) -> {
                assertInside(container, arguments);
                assertThat(state.normalize())
                        .endsWithRaw(Path.of(container.namespace(), container.id()));
            }
            case PassThrough(String reason) -> assertThat(reason).isNotBlank();
        }
        assertThat(RuncCommandLine.parse(with("--debug", arguments), request.directory()))
                .isEqualTo(command);
    }

    /** The container is one of the arguments, and its directory just where it belongs. */
    private static void assertInside(ContainerKey container, List<String> arguments) {
        Path directory = CONTAINERS.resolve(container.namespace()).resolve(container.id());

        assertThat(arguments).contains(container.id());
        assertThat(directory.normalize()).isEqualTo(directory);
        assertThat(directory.getNameCount()).isEqualTo(CONTAINERS.getNameCount() + 2);
        assertThat(directory).startsWithRaw(CONTAINERS);
    }

    private static List<String> with(String first, List<String> arguments) {
        List<String> all = new ArrayList<>(List.of(first));
        all.addAll(arguments);
        return all;
    }

    /** Null where the bytes are no request. */
    private static @Nullable Request request(byte[] body) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.write("TARDIS1\n".getBytes(StandardCharsets.US_ASCII));
        out.writeInt(body.length);
        out.write(body);
        try {
            return LauncherProtocol.readRequest(input(bytes.toByteArray()));
        } catch (IOException e) {
            assertThat(e.getMessage()).isNotBlank();
            return null;
        }
    }

    private static DataInputStream input(byte[] bytes) {
        return new DataInputStream(new ByteArrayInputStream(bytes));
    }
}
