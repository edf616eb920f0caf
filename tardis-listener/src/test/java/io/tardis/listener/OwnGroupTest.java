package io.tardis.listener;

import static org.assertj.core.api.Assertions.assertThat;

import io.tardis.core.event.ContainerKey;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OwnGroupTest {

    private static final String ID = "3f9c0123456789abcdef0123456789abcdef";

    @ParameterizedTest
    @CsvSource({
        "default, tc, /default/tc, /default/tc",
        "default, tc, /default/tc/init, /default/tc",
        "default, tc, /ci/default/tc/a/b, /ci/default/tc",
        "default, tc, /default/tc/default/tc, /default/tc",
        "default, tc, /system.slice/default-tc.scope/init.scope, /system.slice/default-tc.scope",
        "tc, tc, /tc/tc/tc, /tc/tc",
        "default, tc, /tc,",
        "default, tc, /default/tcx,",
        "default, tc, /other/tc/init,",
        "default, tc, /system.slice/app-tc.scope,", // of a container app-tc
        "default, default, /default/other,",
        "default, docker, /docker/ID,",
        "moby, ID, /docker/ID, /docker/ID",
        "moby, ID, /docker/ID/docker/abc, /docker/ID",
        "moby, ID, /system.slice/docker-ID.scope/init.scope, /system.slice/docker-ID.scope",
        "k8s.io, ID, /kubepods/burstable/pod5d1f/ID/init, /kubepods/burstable/pod5d1f/ID",
        "k8s.io, ID, /k.slice/cri-containerd-ID.scope, /k.slice/cri-containerd-ID.scope",
        "k8s.io, ID, /kubepods/burstable/pod5d1f,",
        "k8s.io, ID, /k.slice/crio-conmon-ID0.scope,",
    })
    void isNamedAfterTheContainer(
            String namespace, String id, String path, @Nullable String expected) {
        ContainerKey container = new ContainerKey(namespace, id.replace("ID", ID));

        assertThat(OwnGroup.in(path.replace("ID", ID), container, ""))
                .isEqualTo(Optional.ofNullable(expected).map(it -> it.replace("ID", ID)));
    }

    /** The daemon runs in a container of the same name, without a cgroup namespace. */
    @ParameterizedTest
    @CsvSource({
        "/default/tc/default/tc/init, /default/tc/default/tc",
        "/default/tc/daemon,",
    })
    void isNotTheDaemons(String path, @Nullable String expected) {
        ContainerKey container = new ContainerKey("default", "tc");

        assertThat(OwnGroup.in(path, container, "/default/tc/daemon"))
                .isEqualTo(Optional.ofNullable(expected));
    }
}
