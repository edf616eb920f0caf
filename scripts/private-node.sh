# Sourced by ../demo.sh and the benchmarks: a containerd and a Tardis of our own, in a temporary
# folder, that share nothing with this machine's. open_node begins, close_node takes all down.

node=
containerd_pid=
bin=$PWD/tardis-dist/target/tardis/bin

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
TARDIS_CTR_CMD=ctr -a $node/containerd.sock events
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
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$node/containerd.sock"
[ttrpc]
address = "$node/containerd.sock.ttrpc"
END
    containerd --config "$node/containerd.toml" >"$node/containerd.log" 2>&1 &
    containerd_pid=$!
    until_true 100 our_ctr version || fail "containerd does not answer: $(cat "$node/containerd.log")"
}

close_node() {
    status=$?
    trap - EXIT INT TERM
    for id in $(our_ctr tasks ls -q 2>/dev/null); do
        our_ctr tasks delete --force "$id" >/dev/null 2>&1 || true
    done
    if kill "$containerd_pid" 2>/dev/null; then
        wait "$containerd_pid" || true
    fi
    "$bin/tardis" stop >/dev/null 2>&1 || true
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
