#!/bin/bash
# What a tardis command takes with the daemon up: get, ls, show and status in turn with 'ctr c ls',
# so that all see the same machine. Then the client's memory, and 50 of each at once.
#
#   tardis-bench/src/main/sh/command-cost.sh [ROUNDS] [CONTAINERS]     (100 and 100; builds nothing)
set -eu
cd "$(dirname "$0")/../../../.."
. scripts/prepare.sh
. scripts/private-node.sh
find_jdk

rounds=${1:-100}
containers=${2:-100}
warm_up=5
at_once=50
[ -x "$bin/tardis" ] || fail "there is no $bin/tardis; build it first: mvn -DskipTests package"

open_node
echo TARDIS_RECORD=all >>"$TARDIS_CONFIG"
start_daemon
for i in $(seq "$containers"); do
    our_run "$(command -v runc)" "$node/rootfs" "job$i" /bin/true
done
until_true 100 [ "$("$bin/tardis" ls | wc -l)" -gt "$containers" ] || fail "$("$bin/tardis" ls | wc -l) lines"

# It prints medians of the rounds, and of those at once the median and the longest.
python3 - "$rounds" "$warm_up" "$at_once" "$(command -v ctr)" "$node/containerd.sock" "$bin/tardis" <<'END'
import os, statistics, subprocess, sys, time

rounds, warm_up, at_once = map(int, sys.argv[1:4])
ctr, socket, tardis = sys.argv[4:]
commands = {
    "ctr c ls": [ctr, "-a", socket, "c", "ls"],
    "tardis get": [tardis, "get", "job1"],
    "tardis ls": [tardis, "ls"],
    "tardis show": [tardis, "show", "job1"],
    "tardis status": [tardis, "status"],
}


def start(argv):
    return time.perf_counter(), os.posix_spawn(
        argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])


def end(started):
    begin, pid = started
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"a command ended with status {status}")
    return (time.perf_counter() - begin) * 1000


times = {name: [] for name in commands}
for _ in range(warm_up + rounds):
    for name, argv in commands.items():
        times[name].append(end(start(argv)))
medians = {name: statistics.median(all_of[warm_up:]) for name, all_of in times.items()}
for name in commands:
    ratio = medians[name] / medians["ctr c ls"]
    print(f"{name:14} median {medians[name]:6.2f} ms   ratio {ratio:5.2f}")
for name, argv in commands.items():
    began = [start(argv) for _ in range(at_once)]
    left = dict((pid, begin) for begin, pid in began)
    took = []
    while left:
        pid, status = os.wait()
        took.append((time.perf_counter() - left.pop(pid)) * 1000)
        if status:
            raise SystemExit(f"a command ended with status {status}")
    print(f"{at_once} at once: {name:14} median {statistics.median(took):6.1f} ms   longest {max(took):6.1f} ms")
END
# By a small program: what its parent had before counts for the memory of a child, too.
if [ -x /usr/bin/time ]; then
    for command in "get job1" ls "show job1" status; do
        # shellcheck disable=SC2086 # it holds several words
        say "memory of tardis ${command%% *}: $(/usr/bin/time -f %M "$bin/tardis" $command 2>&1 >/dev/null) KiB"
    done
fi
