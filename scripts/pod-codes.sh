#!/bin/sh
# Compares the exit codes that Kubernetes' CRI tells of containers in pods with Tardis's:
# scripts/pod-codes.sh. containerd is the one of TARDIS_IT_CONTAINERD, if that is set.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh
. scripts/private-node.sh

for program in containerd ctr runc busybox; do
    has $program || fail "there is no $program on PATH"
done
has_python grpc || fail "no python3-grpcio for /usr/bin/python3"
[ -x "$bin/tardis" ] || fail "Tardis is not built: mvn -DskipTests package"

open_node cri
start_daemon
scripts/cri.py image "$node/rootfs" "$node/image.tar"
# containerd 2 imports by its own snapshotter unless ctr does it.
local=$(our_ctr image import --help | grep -q -- --local && echo --local || true)
# shellcheck disable=SC2086 # nothing, or one option
our_ctr -n k8s.io image import $local --snapshotter native "$node/image.tar" >/dev/null
scripts/cri.py compare "$node/containerd.sock" "$bin/tardis"
