#!/bin/sh
# How soon a kill for memory is published, with what the kernel counted: oom-latency.sh [CONTAINERS].
# By default 20 of each kind, run by plain runc with TARDIS_RECORD=all: the main process is killed,
# or a child, after which the container ends with 0 or 3. The time is from containerd's exited_at to
# the receipt of the message by a subscriber in another process.
set -eu
cd "$(dirname "$0")/../../../.."
. scripts/prepare.sh
. scripts/private-node.sh

count=${1:-20}
[ -x "$bin/tardis" ] || fail "Tardis is not built: mvn -DskipTests package"
readers=
close_readers() {
    # shellcheck disable=SC2086 # one pid, or two
    [ -z "$readers" ] || kill $readers || true
}
also_close=close_readers
open_node
echo TARDIS_RECORD=all >>"$TARDIS_CONFIG"
start_daemon
ctr -a "$node/containerd.sock" events >"$node/events" &
readers=$!
/usr/bin/python3 -u - >"$node/received" <<'END' &
import time, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.connect("tcp://127.0.0.1:15580")
socket.subscribe("/tasks/exit/")
while True:
    message = socket.recv_multipart()[1].decode()
    print(time.time(), message)
END
readers="$readers $!"
# It has subscribed when it receives the first of these.
subscribed() {
    our_run "$(command -v runc)" --rm "$node/rootfs" warm-up /bin/true && grep warm-up "$node/received"
}
until_true 100 subscribed

eat='/bin/sh -c "a=x; while true; do a=\$a\$a; done"'
for i in $(seq "$count"); do
    for kind in main child-0 child-3; do
        case $kind in main) script="exec $eat" ;; *) script="$eat; exit ${kind#child-}" ;; esac
        our_run "$(command -v runc)" --rm --memory-limit 16777216 "$node/rootfs" "$kind-$i" /bin/sh -c "$script" \
            >/dev/null 2>&1 || true
    done
done
until_true 100 grep "child-3-$count" "$node/received"
until_true 100 grep "child-3-$count.*exited_at" "$node/events"
/usr/bin/python3 - "$node/events" "$node/received" "$count" <<'END'
import json, statistics, sys
from datetime import datetime

def seconds(at):  # containerd 1.6 prints a text, later ones seconds and nanoseconds
    if isinstance(at, str):
        whole, _, fraction = at.rstrip("Z").partition(".")
        return datetime.fromisoformat(whole + "+00:00").timestamp() + float("0." + (fraction or "0"))
    return at["seconds"] + at.get("nanos", 0) / 1e9

ended = {}
for line in open(sys.argv[1]):
    if " /tasks/exit " in line:
        event = json.loads(line[line.index("{"):])
        ended[event["container_id"]] = seconds(event["exited_at"])
times, wrong = {}, []
for line in open(sys.argv[2]):
    at, message = line.split(" ", 1)
    exit = json.loads(message)
    kind, _, number = exit["container_id"].rpartition("-")
    if kind not in ("main", "child-0", "child-3"):
        continue
    times.setdefault(kind, []).append(1e3 * (float(at) - ended[exit["container_id"]]))
    usage, code = exit.get("usage", {}), {"main": 137, "child-0": 0, "child-3": 3}[kind]
    peak = usage.get("memory_peak", 0) / usage.get("memory_limit", 1)
    if not exit["oom_killed"] or exit["exit_status"] != code or not 0.95 < peak <= 1 or usage.get("oom_kills") != 1:
        wrong.append(message)
for kind in sorted(times):
    print(f"{kind}: {len(times[kind])} received, median {statistics.median(times[kind]):.1f} ms, "
          f"longest {max(times[kind]):.1f} ms")
if wrong or any(len(times.get(kind, [])) != int(sys.argv[3]) for kind in ("main", "child-0", "child-3")):
    sys.exit("not all as they should be: " + "".join(wrong))
END
