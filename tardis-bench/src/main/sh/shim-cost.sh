#!/bin/bash
# What tardis-runc adds to a container's life and to a pass-through command: the same command with
# plain runc and with tardis-runc in turn, so that both see the same machine. One run of a container
# takes 20 ms more or less than the next one, so each of the values that the median is taken of is the
# mean of several runs.
#
#   tardis-bench/src/main/sh/shim-cost.sh [PAIRS] [RUNS] [OTHER]     (30 pairs of 5 runs; builds nothing)
#
# OTHER is the folder of another build, of the commit before for instance: it takes part in each round,
# with a daemon of its own that hears the same containerd. All runtimes are scripts then, which cost alike.
set -eu
other=${3:+$(cd "$3" && pwd)/tardis-dist/target/tardis/bin}
cd "$(dirname "$0")/../../../.."
. scripts/prepare.sh
. scripts/private-node.sh
find_jdk

pairs=${1:-30}
runs=${2:-5}
runc=$(command -v runc)
ours=$bin/tardis-runc
for launcher in "$ours" ${other:+"$other/tardis-runc"}; do
    [ -x "$launcher" ] || fail "there is no $launcher; build it first: mvn -DskipTests package"
done
other_pid=

# time_of COMMAND...: its wall time in microseconds.
time_of() {
    local start=$EPOCHREALTIME
    "$@" >/dev/null 2>&1
    local end=$EPOCHREALTIME
    took=$((${end/./} - ${start/./}))
}

# compare WHAT FUNCTION: the function gets a runtime and a name that is not taken.
compare() {
    local what=$1 command=$2 who
    local -A runtimes=([plain]=$runc [ours]=$ours) sums
    [ -z "$other" ] || runtimes[other]=$node/other-runc
    for pair in $(seq "$pairs"); do
        sums=([plain]=0 [ours]=0 [other]=0)
        for run in $(seq "$runs"); do
            for who in "${!runtimes[@]}"; do
                time_of "$command" "${runtimes[$who]}" "$who$pair-$run"
                sums[$who]=$((sums[$who] + took))
            done
        done
        for who in "${!runtimes[@]}"; do
            echo $((sums[$who] / runs)) >>"$node/$who"
        done
    done
    report "$what" tardis-runc ours
    [ -z "$other" ] || report "$what" "the other's" other
    rm -f "$node/plain" "$node/ours" "$node/other"
}

# report WHAT NAME FILE
report() {
    awk -v what="$1" -v name="$2" -v plain="$(median "$node/plain")" -v it="$(median "$node/$3")" 'BEGIN {
        printf "%-34s runc %7.2f ms   %-11s %7.2f ms   difference %6.2f ms   ratio %.3f\n",
            what, plain / 1000, name, it / 1000, (it - plain) / 1000, it / plain }'
}

# script FILE CONFIG PROGRAM: becomes the program, with those settings.
script() {
    printf '#!/bin/sh\nTARDIS_CONFIG=%s exec %s "$@"\n' "$2" "$3" >"$1"
    chmod +x "$1"
}

start_other() {
    sed -e "s|=$node/|=$node/other-|" -e 's|:1558|:1658|' "$TARDIS_CONFIG" >"$node/other.env"
    script "$node/plain-runc" "$TARDIS_CONFIG" "$runc"
    script "$node/ours-runc" "$TARDIS_CONFIG" "$ours"
    script "$node/other-runc" "$node/other.env" "$other/tardis-runc"
    runc=$node/plain-runc
    ours=$node/ours-runc
    TARDIS_CONFIG=$node/other.env "$other/tardis" daemon >"$node/other.out" 2>&1 &
    other_pid=$!
    also_close=stop_other
    until_true 300 [ -S "$node/other-run/tardis.sock" ] || fail "the other daemon does not start: $(cat "$node/other.out")"
}

stop_other() {
    kill "$other_pid" && wait "$other_pid" || true
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
[ -z "$other" ] || start_other
for i in $(seq 20); do # starts the daemon, and warms all up
    enabled "$ours" "warm$i"
    enabled "$runc" "plain$i"
    [ -z "$other" ] || enabled "$node/other-runc" "other$i"
done
echo "medians of $pairs pairs, each the mean of $runs runs"
compare "ctr run --rm true, enabled" enabled
compare "ctr run --rm true, not enabled" not_enabled
compare "pass-through: --version" version
compare "pass-through: state" state
