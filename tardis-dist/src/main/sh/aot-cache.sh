#!/bin/sh
# Makes FOLDER.aot beside the folder of this installation. It holds what the JVM learned in a short life
# of the daemon: with it, every tardis command and the daemon start in about half the time. It is good for
# this folder and this build of Java alone; elsewhere the JVM passes it over. Run it once more after the
# installation was moved, or Java updated.
set -eu

home=$(cd "$(dirname "$0")/.." && pwd -P)
cache=$home.aot
work=$(mktemp -d)
daemon=
trap 'status=$?; [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$work"; exit $status' EXIT
trap 'exit 1' INT TERM

# Whatever is set for other daemons, or for tests.
for name in $(env | sed -n 's/^\(TARDIS_[A-Za-z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
export TARDIS_CONFIG="$work/tardis.env" TARDIS_STATE_DIR="$work/state" TARDIS_RUN_DIR="$work/run" \
    TARDIS_CHECKPOINT_DIR="$work/checkpoint" TARDIS_LOG_FILE="$work/tardis.log" TARDIS_REAL_RUNC_CMD=/bin/true \
    TARDIS_CTR_CMD="/bin/sh $work/events"
: >"$TARDIS_CONFIG"
mkdir "$work/bundle"
echo '{"process":{"env":["TARDIS_ENABLE=1"]}}' >"$work/bundle/config.json"
# In the place of containerd: one container's start and end, as ctr prints them, and then silence.
cat >"$work/events" <<'END'
echo '2025-04-04 19:10:58.1 +0000 UTC default /tasks/start {"container_id":"other","pid":6615}'
echo '2025-04-04 19:10:59.8 +0000 UTC default /tasks/exit {"container_id":"other","id":"other","pid":6615,"exit_status":137,"exited_at":"2025-04-04T19:10:59.78307293Z"}'
exec sleep 60
END

# With what it learned of methods, each JVM would begin by compiling them: 0.4 s of a processor, and
# the daemon's start takes 0.2 s longer. A JVM that does not know the option does so.
no_training="-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockDiagnosticVMOptions -XX:-AOTRecordTraining"

# Without a path the daemon does not load classes that it may never need, which all commands would
# get, too. Begins the daemon on a port and the next one, and waits until it listens; fails where it does not.
begin() {
    port=$1
    TARDIS_EVENTS_ENDPOINT=tcp://127.0.0.1:$port TARDIS_QUERY_ENDPOINT=tcp://127.0.0.1:$((port + 1)) \
        TARDIS_JAVA_OPTS="-XX:AOTCacheOutput=$work/tardis.aot $no_training -Dtardis.path=" "$home/lib/tardis-jvm" daemon >"$work/out" 2>&1 &
    daemon=$!
    for _ in $(seq 300); do
        [ ! -S "$work/run/tardis.sock" ] || return 0
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.1
    done
    kill "$daemon" 2>/dev/null || true
    daemon=
    return 1
}

# One enabled container, whose process is a shell that ends with 0 when it is told to.
live() {
    "$home/bin/tardis-runc" --root "$work/default" create --bundle "$work/bundle" "$1"
    sh -c 'read _; exit 0' <"$work/hold" &
    process=$!
    echo "$process" >"$work/bundle/init.pid"
    exec 3>"$work/hold"
    "$home/bin/tardis-runc" --root "$work/default" start "$1"
    exec 3>&-
    wait "$process"
    "$home/bin/tardis-runc" --root "$work/default" delete "$1"
}

rm -f "$cache"
mkfifo "$work/hold"
for port in 21580 31580 23580 29580; do # one that is free
    ! begin "$port" || break
done
[ -n "$daemon" ] || { cat "$work/out" >&2; exit 1; }
live one
live two
export TARDIS_QUERY_ENDPOINT=tcp://127.0.0.1:$((port + 1))
# On a kernel that cannot tell, nobody knows; on a machine that is very busy, nobody answers in time.
"$home/lib/tardis-jvm" get one >/dev/null 2>&1 || true
TARDIS_EVENTS_ENDPOINT=tcp://127.0.0.1:$port
export TARDIS_EVENTS_ENDPOINT # the daemon runs the commands of those alone who have its settings
for command in "get one" ls "show one" status "get one two"; do
    # shellcheck disable=SC2086 # it holds several words
    "$home/bin/tardis" $command >/dev/null 2>&1 || true
done
kill "$daemon"
wait "$daemon" || true
daemon=
[ -s "$work/tardis.aot" ] || { cat "$work/out" >&2; exit 1; }
mv "$work/tardis.aot" "$cache.new" # perhaps from another file system, and then not at once
mv "$cache.new" "$cache"
