#!/bin/bash
# What tardis-runc adds to a container's life and to a pass-through command: the same command with
# plain runc and with tardis-runc in turn, so that both see the same machine. One run of a container
# takes 20 ms more or less than the next one, so each of the values that the median is taken of is the
# mean of several runs.
#
#   tardis-bench/src/main/sh/shim-cost.sh [PAIRS] [RUNS]     (30 pairs of 5 runs unless told; builds nothing)
set -eu
cd "$(dirname "$0")/../../../.."
. scripts/prepare.sh
. scripts/private-node.sh
find_jdk

pairs=${1:-30}
runs=${2:-5}
runc=$(command -v runc)
[ -x "$bin/tardis-runc" ] || fail "build it first: mvn -DskipTests package"

# time_of COMMAND...: its wall time in microseconds.
time_of() {
    local start=$EPOCHREALTIME
    "$@" >/dev/null 2>&1
    local end=$EPOCHREALTIME
    took=$((${end/./} - ${start/./}))
}

# compare WHAT FUNCTION: the function gets a runtime and a name that is not taken.
compare() {
    local what=$1 command=$2 plain ours
    for pair in $(seq "$pairs"); do
        plain=0 ours=0
        for run in $(seq "$runs"); do
            time_of "$command" "$runc" "plain$pair-$run"
            plain=$((plain + took))
            time_of "$command" "$bin/tardis-runc" "ours$pair-$run"
            ours=$((ours + took))
        done
        echo $((plain / runs)) >>"$node/plain"
        echo $((ours / runs)) >>"$node/ours"
    done
    report "$what"
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

enabled() {
    our_run "$1" --rm --env TARDIS_ENABLE=1 "$node/rootfs" "$2" /bin/true
}

not_enabled() {
    our_run "$1" --rm "$node/rootfs" "$2" /bin/true
}

version() {
    "$1" --version
}

state() { # of a container that there is not, which is no success
    ! "$1" --root "$node/runc/default" state none
}

open_node
for i in $(seq 20); do # starts the daemon, and warms both up
    enabled "$bin/tardis-runc" "warm$i"
    enabled "$runc" "plain$i"
done
echo "medians of $pairs pairs, each the mean of $runs runs"
compare "ctr run --rm true, enabled" enabled
compare "ctr run --rm true, not enabled" not_enabled
compare "pass-through: --version" version
compare "pass-through: state" state
