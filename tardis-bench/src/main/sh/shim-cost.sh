#!/bin/bash
# What tardis-runc adds to a container's life and to a pass-through command: the same command with
# plain runc and with tardis-runc in turn, so that both see the same machine.
#
#   tardis-bench/src/main/sh/shim-cost.sh [PAIRS]     (30 pairs unless told; builds nothing)
set -eu
cd "$(dirname "$0")/../../../.."
. scripts/prepare.sh
. scripts/private-node.sh
find_jdk

pairs=${1:-30}
runc=$(command -v runc)
[ -x "$bin/tardis-runc" ] || fail "build it first: mvn -DskipTests package"

# time_of FILE COMMAND...: appends the wall time in microseconds.
time_of() {
    local file=$1 start=$EPOCHREALTIME
    shift
    "$@" >/dev/null 2>&1
    local end=$EPOCHREALTIME
    echo $((${end/./} - ${start/./})) >>"$file"
}

median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2000 }'
}

report() {
    awk -v what="$1" -v plain="$(median "$node/plain")" -v ours="$(median "$node/ours")" 'BEGIN {
        printf "%-34s runc %7.2f ms   tardis-runc %7.2f ms   difference %6.2f ms   ratio %.3f\n",
            what, plain, ours, ours - plain, ours / plain }'
    rm "$node/plain" "$node/ours"
}

whole_run() {
    our_run "$1" --rm --env TARDIS_ENABLE=1 "$node/rootfs" "$2" /bin/true
}

open_node
echo "medians of $pairs pairs"
for i in $(seq ${WARM:-5}); do # starts the daemon, and warms both up
    whole_run "$bin/tardis-runc" "warm$i"
    whole_run "$runc" "plain$i"
done
for i in $(seq "$pairs"); do
    time_of "$node/plain" whole_run "$runc" "plain$i"
    time_of "$node/ours" whole_run "$bin/tardis-runc" "ours$i"
done
report "ctr run --rm true, enabled"
for i in $(seq "$pairs"); do
    time_of "$node/plain" our_run "$runc" --rm "$node/rootfs" "plain$i" /bin/true
    time_of "$node/ours" our_run "$bin/tardis-runc" --rm "$node/rootfs" "ours$i" /bin/true
done
report "ctr run --rm true, not enabled"
for i in $(seq "$pairs"); do
    time_of "$node/plain" "$runc" --version
    time_of "$node/ours" "$bin/tardis-runc" --version
done
report "pass-through: --version"
for i in $(seq "$pairs"); do
    time_of "$node/plain" "$runc" --root "$node/runc/default" state none || true
    time_of "$node/ours" "$bin/tardis-runc" --root "$node/runc/default" state none || true
done
report "pass-through: state"
