package io.tardis.it;

import static io.tardis.it.Wait.SOON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Processes of other users on the ports and files of a daemon. Debian has these users and groups;
 * {@code games} is in the group {@code games}, which is its primary one.
 */
@RequiresContainers
class LocalClientsIT {

    private static final int FAILED = 1;
    private static final int BAD_SETUP = 2;
    private static final String PING = "{\"op\":\"ping\"}";
    private static final Duration A_COMMAND = Duration.ofSeconds(10);

    private static final List<String> ROOT = List.of();
    private static final List<String> MEMBER = as("games", "games");
    private static final List<String> STRANGER = as("www-data", "www-data");
    private static final List<String> NOBODY = as("nobody", "nogroup");

    @RegisterExtension final Lab lab = Lab.withTardis().setting("TARDIS_GROUP", "games");

    @ContainerTest
    void rootAndTheGroupReadAndOthersGetNothing() throws IOException {
        lab.tardis().bringUpDaemon();
        openWayTo(lab.tardis());
        lab.tardis().awaitReceiving(lab.container("probe"));
        Container tc = lab.container("tc").enabled();
        try (LiveProcess member = watch(MEMBER);
                LiveProcess stranger = watch(STRANGER)) {
            member.awaitLine("heartbeat", SOON, "/tardis/heartbeat/"::equals);

            assertThat(tc.sh("exit 3").code()).isEqualTo(3);

            member.awaitLine("exit", SOON, "/tasks/exit/default/tc/"::equals);
            for (List<String> user : List.of(ROOT, MEMBER)) {
                assertThat(ask(lab.tardis(), user)).contains("\"status\":\"ok\"");
                assertThat(tardis(user, "get", "tc").orFail().text()).isEqualTo("3");
            }
            for (List<String> user : List.of(STRANGER, NOBODY)) {
                assertThat(ask(lab.tardis(), user)).isEqualTo("nothing");
                Outcome get = tardis(user, "get", "tc");
                assertThat(get.code()).isEqualTo(FAILED);
                assertThat(get.out()).isEmpty();
                assertThat(get.err()).contains("permission denied on tcp://127.0.0.1:");
            }
            assertThat(stranger.isAlive()).isTrue();
            assertThat(stranger.output()).isEmpty();
        }
        assertThat(lab.tardis().log())
                .contains("its user may not read: uid 33; to admit it, add it to the group games");
        assertThat(lab.tardis().tardis("status").orFail().out())
                .containsPattern("clients .* and the group games; [0-9]+ connections of others");
    }

    @ContainerTest
    void theGroupChangesNothing() throws IOException {
        lab.tardis().bringUpDaemon();
        Proc daemon = lab.tardis().runningDaemon();
        Path run = openWayTo(lab.tardis());
        Files.writeString(run.resolve("start.lock"), "");
        Outcome _ = Command.of("chmod", "644", run.resolve("start.lock").toString()).run();
        // As an earlier version left both; who starts a daemon closes one, and opens the other.
        Outcome _ = Command.of("chmod", "700", run.toString()).run().orFail();
        Outcome _ = lab.tardis().tardis("restart").orFail();

        assertThat(Command.of("stat", "-c", "%A %U %G", run.toString()).run().text())
                .isEqualTo("drwx--x--- root games");
        assertThat(
                        Command.of("stat", "-c", "%A", run.resolve("start.lock").toString())
                                .run()
                                .text())
                .isEqualTo("-rw-------");
        for (String command : List.of("stop", "restart")) {
            assertThat(tardis(MEMBER, command).code()).isEqualTo(FAILED);
        }
        // The daemon runs this one: the member's own process could not look at the state directory.
        assertThat(
                        Command.of("stat", "-c", "%A %U %G", run.resolve("client.sock").toString())
                                .run()
                                .text())
                .isEqualTo("srw-rw---- root games");
        Outcome _ = tardis(MEMBER, "status").orFail();
        assertThat(tardis(STRANGER, "status").code()).isEqualTo(FAILED);
        String tries =
                """
                import os, socket, sys
                for name in ("tardis.sock", "start.lock", "start.log", "last-start", "missed"):
                    try:
                        if name == "tardis.sock":
                            socket.socket(socket.AF_UNIX).connect(os.path.join(sys.argv[1], name))
                        else:
                            os.open(os.path.join(sys.argv[1], name), os.O_RDONLY)
                        print("opened", name)
                    except (PermissionError, FileNotFoundError):
                        pass
                for change in (os.listdir, lambda run: os.mkdir(run + "/new")):
                    try:
                        change(sys.argv[1])
                        print("changed")
                    except PermissionError:
                        pass
                """;
        assertThat(run(MEMBER, Machine.PYTHON, "-c", tries, run.toString()).orFail().out())
                .isEmpty();
        assertThat(daemon).isNotEqualTo(lab.tardis().runningDaemon());
    }

    @ContainerTest
    void holdsUpNobodyWhoMayRead() throws IOException {
        lab.tardis().bringUpDaemon();
        Proc daemon = lab.tardis().runningDaemon();
        assertThat(lab.container("before").enabled().sh("exit 3").code()).isEqualTo(3);
        Path out = lab.scratch().folder("out");
        try (LiveProcess held =
                        client(STRANGER, lab.tardis(), "QUERY", "bytes", "2000")
                                .start(out.resolve("held"));
                LiveProcess rush =
                        client(NOBODY, lab.tardis(), "QUERY", "rush", "10000")
                                .start(out.resolve("rush"))) {
            held.awaitLine("2000 connections", SOON, "got 0"::equals);
            for (int i = 0; i < 3; i++) {
                Instant begin = Instant.now();
                assertThat(lab.tardis().tardis("get", "before").orFail().text()).isEqualTo("3");
                assertThat(lab.freshContainer().enabled().sh("exit 4").code()).isEqualTo(4);
                Wait.assertTaken(
                        "a command and a container",
                        Duration.between(begin, Instant.now()),
                        A_COMMAND);
            }
            lab.tardis().assertAnswersQuickly();
            rush.awaitLine("10000 connections", Duration.ofMinutes(1), "got 0"::equals);
            assertThat(held.isAlive()).isTrue();
        }
        assertThat(lab.tardis().runningDaemon()).isEqualTo(daemon);
        assertThat(lab.tardis().log().lines().filter(it -> it.contains("was ended")))
                .hasSizeLessThan(10);
    }

    @ContainerTest
    void knowsUsersOverIpv6AndMappedAddresses() {
        assumeTrue(Files.exists(Path.of("/proc/net/if_inet6")));
        TardisNode six =
                lab.tardis()
                        .with(
                                "TARDIS_EVENTS_ENDPOINT",
                                "tcp://[::1]:" + lab.tardis().port("TARDIS_EVENTS_ENDPOINT"));
        LiveProcess _ = six.launchDaemon();
        six.awaitDaemon();

        for (String address : List.of("127.0.0.1", "::ffff:127.0.0.1")) {
            assertThat(bytes(MEMBER, six, "QUERY", address)).isEqualTo("got 10");
            assertThat(bytes(STRANGER, six, "QUERY", address)).isEqualTo("got 0");
        }
        assertThat(bytes(MEMBER, six, "EVENTS", "::1")).isEqualTo("got 10");
        assertThat(bytes(STRANGER, six, "EVENTS", "::1")).isEqualTo("got 0");
    }

    /** In its own namespace it is root; the kernel says who it is here. */
    @ContainerTest
    void rootOfAnotherUserNamespaceIsNotRoot() {
        List<String> unshared = new ArrayList<>(STRANGER);
        unshared.addAll(List.of("unshare", "--user", "--map-root-user"));
        assumeTrue(run(unshared, "true").code() == 0);
        lab.tardis().bringUpDaemon();

        assertThat(run(unshared, "id", "-u").text()).isEqualTo("0");
        assertThat(ask(lab.tardis(), unshared)).isEqualTo("nothing");
    }

    /**
     * The ports are closed then also to root, which is better than open to all. Root's commands
     * have a socket of their own, and containers are recorded.
     */
    @ContainerTest
    void servesNobodyWhereTheKernelCannotBeAsked() {
        lab.expectErrors("no client over TCP is served");
        try (LiveProcess daemon = launchWithoutNetlink(lab.tardis())) {
            Wait.until(
                    () -> "a daemon: " + daemon.output(),
                    SOON,
                    () -> Files.exists(lab.tardis().socket()));

            assertThat(lab.container("tc").enabled().sh("exit 3").code()).isEqualTo(3);

            assertThat(ask(lab.tardis(), ROOT)).isEqualTo("nothing");
            assertThat(lab.tardis().tardis("get", "tc").orFail().text()).isEqualTo("3");
            Outcome byTcp = tardis(STRANGER, "get", "tc");
            assertThat(byTcp.code()).isEqualTo(FAILED);
            assertThat(lab.tardis().log())
                    .contains("the kernel cannot be asked whose a connection is: socket failed")
                    .contains("set TARDIS_LOCAL_CLIENTS=any");
        }
        TardisNode any = lab.tardis().with("TARDIS_LOCAL_CLIENTS", "any");
        try (LiveProcess _ = launchWithoutNetlink(any)) {
            any.awaitDaemon();
            assertThat(any.tardis("get", "tc").orFail().text()).isEqualTo("3");
        }
    }

    private LiveProcess launchWithoutNetlink(TardisNode node) {
        Command command = node.command("daemon");
        List<String> argv = new ArrayList<>();
        argv.addAll(List.of(Machine.PYTHON, TardisNode.script("without_netlink.py").toString()));
        argv.addAll(command.argv());
        return Command.of(argv)
                .with(command.environment())
                .start(lab.scratch().folder("out").resolve("daemon"));
    }

    @ContainerTest
    void anyRestoresThatEveryLocalUserReads() throws IOException {
        TardisNode any = lab.tardis().with("TARDIS_LOCAL_CLIENTS", "any");
        LiveProcess _ = any.launchDaemon();
        any.awaitDaemon();

        for (List<String> user : List.of(ROOT, MEMBER, STRANGER, NOBODY)) {
            assertThat(ask(any, user)).contains("\"status\":\"ok\"");
        }
        assertThat(any.tardis("status").orFail().out())
                .contains("clients   every local user, by TARDIS_LOCAL_CLIENTS=any\n");
    }

    @ContainerTest
    void aGroupThatDoesNotExistIsNamed() {
        Outcome daemon = lab.tardis().with("TARDIS_GROUP", "no-such-group").tardis("daemon");

        assertThat(daemon.code()).isEqualTo(BAD_SETUP);
        assertThat(daemon.err()).contains("TARDIS_GROUP=no-such-group: there is no such group");
    }

    private static List<String> as(String user, String group) {
        return List.of("setpriv", "--reuid=" + user, "--regid=" + group, "--clear-groups");
    }

    /** Lets every user come to the run directory and to the settings; returns the former. */
    private Path openWayTo(TardisNode node) {
        Path run = Path.of(node.setting("TARDIS_RUN_DIR"));
        for (Path path : List.of(lab.scratch().root(), run.resolveSibling(""))) {
            Outcome _ = Command.of("chmod", "711", path.toString()).run().orFail();
        }
        return run;
    }

    private LiveProcess watch(List<String> user) {
        Path out = lab.scratch().folder("out").resolve(user.get(1));
        return client(user, lab.tardis(), "EVENTS", "watch").start(out);
    }

    private static String ask(TardisNode node, List<String> user) {
        return client(user, node, "QUERY", "ask", "2", PING).run().orFail().text();
    }

    /** What one connection got of the greeting. */
    private String bytes(List<String> user, TardisNode node, String endpoint, String address) {
        Path out = lab.scratch().folder("out").resolve(user.get(1) + endpoint + address.length());
        try (LiveProcess client = command(user, node, endpoint, "bytes", address, "1").start(out)) {
            return client.awaitLine("bytes", SOON, it -> it.startsWith("got "));
        }
    }

    private static Command client(
            List<String> user, TardisNode node, String endpoint, String what, String... rest) {
        return command(user, node, endpoint, what, "127.0.0.1", rest);
    }

    private static Command command(
            List<String> user,
            TardisNode node,
            String endpoint,
            String what,
            String address,
            String... rest) {
        try {
            List<String> argv = new ArrayList<>(user);
            argv.addAll(List.of(Machine.PYTHON, "-c"));
            argv.add(Files.readString(TardisNode.script("local_client.py")));
            String port = Integer.toString(node.port("TARDIS_" + endpoint + "_ENDPOINT"));
            argv.addAll(List.of(what, address, port));
            argv.addAll(List.of(rest));
            return Command.of(argv);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Outcome run(List<String> user, String... command) {
        List<String> argv = new ArrayList<>(user);
        argv.addAll(List.of(command));
        return Command.of(argv).run();
    }

    private Outcome tardis(List<String> user, String... arguments) {
        Command command = lab.tardis().command(arguments);
        List<String> argv = new ArrayList<>(user);
        argv.addAll(command.argv());
        return Command.of(argv).with(command.environment()).run();
    }
}
