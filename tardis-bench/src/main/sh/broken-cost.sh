#!/bin/bash
# What an enabled container costs more than with plain runc while Tardis is broken, for each way of
# being broken: the first container, the median of the next ones, and the median of eight at once. Both
# runtimes take turns, so that they see the same machine.
#
#   tardis-bench/src/main/sh/broken-cost.sh [SINGLES] [BATCHES] [INSTALLATION] [FAULT...]
#
# 15 and 5 unless told, with the built installation and all faults; it builds nothing.
set -eu
cd "$(dirname "$0")/../../../.."
. scripts/prepare.sh
. scripts/private-node.sh
find_jdk

singles=${1:-15}
batches=${2:-5}
[ -z "${3:-}" ] || bin=$3/bin
faults=("${@:4}")
[ ${#faults[@]} -gt 0 ] || faults=(none typo port log-dir run-dir no-java hanging deaf-socket)
runc=$(command -v runc)
[ -x "$bin/tardis-runc" ] || fail "build it first: mvn -DskipTests package"
number=0
pids=()

ms_since() {
    local end=$EPOCHREALTIME
    took=$(((${end/./} - ${1/./}) / 1000))
}

one() { # RUNTIME ID
    our_run "$1" --rm --env TARDIS_ENABLE=1 "$node/rootfs" "$2" /bin/true >/dev/null 2>&1
}

single() { # RUNTIME: sets took
    number=$((number + 1))
    local start=$EPOCHREALTIME
    one "$1" "s$number"
    ms_since "$start"
}

eight() { # RUNTIME: sets took
    local i start=$EPOCHREALTIME running=()
    for i in 1 2 3 4 5 6 7 8; do
        number=$((number + 1))
        one "$1" "b$number" &
        running+=($!)
    done
    wait "${running[@]}"
    ms_since "$start"
}

compare() { # FUNCTION TIMES: prints both medians and their difference
    local i
    for i in $(seq "$2"); do
        "$1" "$runc"
        echo "$took" >>"$node/plain"
        "$1" "$tardis"
        echo "$took" >>"$node/ours"
    done
    local plain ours
    plain=$(median "$node/plain")
    ours=$(median "$node/ours")
    rm "$node/plain" "$node/ours"
    printf '%8s %8s %8s' "$plain" "$ours" "$(awk "BEGIN { print $ours - $plain }")"
}

# Each fault has its own directories; containerd hands on where this file is.
settings() {
    mkdir -p "$node/$1"
    [ -e "$node/first.env" ] || cp "$TARDIS_CONFIG" "$node/first.env"
    sed -e "s|=$node/|=$node/$1/|" -e 's|:1558|:1658|' "$node/first.env" >"$TARDIS_CONFIG"
}

listen() { # CODE: a Python program that is ready when it prints a line
    mkfifo "$node/ready"
    python3 -c "$1" >"$node/ready" &
    pids+=($!)
    read -r _ <"$node/ready"
    rm "$node/ready"
}

break_it() {
    case $1 in
    none) single "$tardis" ;;
    typo) echo TARDIS_RETENTOIN=1d >>"$TARDIS_CONFIG" ;;
    port) listen 'import socket, time
s = socket.create_server(("127.0.0.1", 16580)); print(flush=True); time.sleep(3600)' ;;
    log-dir) # root writes everywhere, but not into a file
        echo TARDIS_LOG_FILE=/dev/null/tardis.log >>"$TARDIS_CONFIG" ;;
    run-dir) echo >"$node/$1/run" ;;
    no-java)
        mkdir -p "$node/$1/bin"
        cp "$bin/tardis-runc" "$node/$1/bin"
        printf '#!/bin/sh\necho "tardis: no Java 25 or later found" >&2\nexit 1\n' >"$node/$1/bin/tardis"
        chmod +x "$node/$1/bin/tardis"
        tardis=$node/$1/bin/tardis-runc
        ;;
    hanging)
        single "$tardis"
        until_true 300 "$bin/tardis" status || fail "the daemon does not answer"
        kill -STOP "$(cat "$node/$1/state/event_listener.pid")"
        ;;
    deaf-socket)
        mkdir -p -m 700 "$node/$1/run"
        listen 'import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("'"$node/$1"'/run/tardis.sock"); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect(s.getsockname()); print(flush=True); time.sleep(3600)'
        ;;
    *) fail "no such fault: $1" ;;
    esac
}

mend() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    pids=()
    pid=$(cat "$node/$1/state/event_listener.pid" 2>/dev/null || true)
    if [ -n "$pid" ]; then
        kill -CONT "$pid"
        kill "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    fi
}

open_node
single "$runc"
printf '%-12s %8s %26s %26s\n' 'ms' first 'one: runc, ours, more' 'eight: runc, ours, more'
for fault in "${faults[@]}"; do
    tardis=$bin/tardis-runc
    settings "$fault"
    break_it "$fault"
    single "$tardis"
    first=$took
    printf '%-12s %8s %s %s\n' "$fault" "$first" "$(compare single "$singles")" "$(compare eight "$batches")"
    mend "$fault"
done
