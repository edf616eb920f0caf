#!/bin/sh
# Compares Docker's exit codes with Tardis's: scripts/docker-codes.sh. A dockerd of our own, on a
# containerd of our own, runs containers that end in every way. dockerd and docker are those on PATH,
# containerd is the one of TARDIS_IT_CONTAINERD, if that is set.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh
. scripts/private-node.sh

for program in dockerd docker containerd ctr runc busybox; do
    has $program || fail "there is no $program on PATH"
done
[ -x "$bin/tardis" ] || fail "Tardis is not built: mvn -DskipTests package"

dockerd_pid=
close_docker() {
    if [ -n "$dockerd_pid" ] && kill "$dockerd_pid" 2>/dev/null; then
        wait "$dockerd_pid" || true
    fi
}

our_docker() {
    docker --host "unix://$node/docker.sock" "$@"
}

also_close=close_docker
open_node
dockerd --containerd "$node/containerd.sock" --host "unix://$node/docker.sock" --data-root "$node/docker" \
    --exec-root "$node/docker-exec" --pidfile "$node/docker.pid" --bridge=none --iptables=false --ip6tables=false \
    --storage-driver=vfs --group root --add-runtime "tardis=$bin/tardis-runc" >"$node/dockerd.log" 2>&1 &
dockerd_pid=$!
until_true 300 our_docker version || fail "dockerd does not answer: $(tail -5 "$node/dockerd.log")"
start_daemon
tar -C "$node/rootfs" -c . | our_docker import - tardis-test >/dev/null

wrong=0
# compare NAME DOCKER-OPTION... -- COMMAND...: prints both codes, and counts where they differ.
compare() {
    name=$1
    shift
    options=
    while [ "$1" != -- ]; do
        options="$options $1"
        shift
    done
    shift
    # shellcheck disable=SC2086 # several options
    id=$(our_docker run --detach --runtime tardis --network none --env TARDIS_ENABLE=1 $options tardis-test "$@")
    [ "$name" != killed ] || our_docker kill "$id" >/dev/null
    [ "$name" != stopped ] || our_docker stop --time 1 "$id" >/dev/null
    expected=$(our_docker wait "$id")
    told=$("$bin/tardis" wait --timeout 30s "moby/$id") || told="nothing ($?)"
    [ "$(our_docker inspect --format '{{.State.OOMKilled}}' "$id")" = false ] || expected="$expected oom_killed"
    ! "$bin/tardis" ls -n moby -o json | grep "$id" | grep -q '"oom_killed":true' || told="$told oom_killed"
    say "docker $name: $expected, tardis: $told"
    [ "$told" = "$expected" ] || wrong=$((wrong + 1))
    our_docker rm "$id" >/dev/null
}

for code in 0 1 7 42 137 143 255; do
    compare "exit $code" -- sh -c "exit $code"
done
compare killed -- sleep 600
compare stopped -- sleep 600
# shellcheck disable=SC2016 # the container's shell expands it
compare 'out of memory' --memory 16m -- sh -c 'a=x; while true; do a=$a$a; done'
[ "$wrong" -eq 0 ] || fail "$wrong codes differ"
