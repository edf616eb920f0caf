# Sourced by ../demo.sh and the benchmarks: a containerd and a Tardis of our own, in a temporary
# folder, that share nothing with this machine's. open_node begins, close_node takes all down.
# TARDIS_IT_CONTAINERD names a folder with another containerd, ctr and shim than the machine's.
PATH=${TARDIS_IT_CONTAINERD:+$TARDIS_IT_CONTAINERD:}$PATH
unset TARDIS_IT_CONTAINERD # the tardis commands would refuse it as a setting that they do not know

node=
containerd_pid=
daemon_pid=
also_close= # a function that takes down what stands on containerd
bin=$PWD/tardis-dist/target/tardis/bin

# open_node [cri]: with containerd's CRI, whose runtime "tardis" is Tardis's, or without.
open_node() {
    node=$(mktemp -d "${TMPDIR:-/tmp}/tardis-node.XXXXXX")
    trap close_node EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    # Every setting of Tardis can also be an environment variable. containerd hands its environment
    # on to the runtime, so this is all that has to be configured.
    export TARDIS_CONFIG="$node/tardis.env"
    cat >"$TARDIS_CONFIG" <<END
TARDIS_STATE_DIR=$node/state
TARDIS_RUN_DIR=$node/run
TARDIS_LOG_FILE=$node/tardis.log
TARDIS_CTR_CMD=$(command -v ctr) -a $node/containerd.sock events
TARDIS_EVENTS_ENDPOINT=tcp://127.0.0.1:15580
TARDIS_QUERY_ENDPOINT=tcp://127.0.0.1:15581
END

    mkdir -p "$node/rootfs/bin"
    cp "$(command -v busybox)" "$node/rootfs/bin/busybox"
    for applet in sh sleep true; do
        ln -s busybox "$node/rootfs/bin/$applet"
    done

    cat >"$node/containerd.toml" <<END
version = 2
root = "$node/containerd/root"
state = "$node/containerd/state"
disabled_plugins = [$([ "${1:-}" = cri ] || echo '"io.containerd.grpc.v1.cri"')]
[grpc]
address = "$node/containerd.sock"
[ttrpc]
address = "$node/containerd.sock.ttrpc"
END
    [ "${1:-}" != cri ] || cat >>"$node/containerd.toml" <<END
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "tardis.test/busybox:1"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tardis]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tardis.options]
BinaryName = "$bin/tardis-runc"
END
    containerd --config "$node/containerd.toml" >"$node/containerd.log" 2>&1 &
    containerd_pid=$!
    until_true 100 our_ctr version || fail "containerd does not answer: $(cat "$node/containerd.log")"
}

# Not left to the first container, on a machine that may be too busy for that.
start_daemon() {
    "$bin/tardis" daemon >"$node/daemon.out" 2>&1 &
    daemon_pid=$!
    until [ -S "$node/run/tardis.sock" ]; do
        kill -0 "$daemon_pid" 2>/dev/null || fail "the daemon does not start: $(cat "$node/daemon.out")"
        sleep 0.1
    done
}

close_node() {
    status=$?
    trap - EXIT INT TERM
    [ -z "$also_close" ] || "$also_close"
    for id in $(our_ctr tasks ls -q 2>/dev/null); do
        our_ctr tasks delete --force "$id" >/dev/null 2>&1 || true
    done
    if kill "$containerd_pid" 2>/dev/null; then
        wait "$containerd_pid" || true
    fi
    "$bin/tardis" stop >/dev/null 2>&1 || true
    if [ -n "$daemon_pid" ] && kill "$daemon_pid" 2>/dev/null; then
        wait "$daemon_pid" || true
    fi
    rm -rf "$node"
    exit "$status"
}

our_ctr() {
    ctr -a "$node/containerd.sock" "$@"
}

# our_run RUNTIME ctr-run-options... ID COMMAND...
our_run() {
    runtime=$1
    shift
    our_ctr run --runc-binary "$runtime" --runc-root "$node/runc" --fifo-dir "$node/fifo" \
        --rootfs "$@"
}

# until_true TENTHS COMMAND...: waits for the command to succeed, for so many tenths of a second.
until_true() {
    tenths=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$tenths" -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# median FILE: of its numbers, one a line.
median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
