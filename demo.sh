#!/bin/sh
# Shows Tardis at work: builds it, starts a containerd and a Tardis of its own in a temporary folder,
# runs real containers, and takes everything down again. Touches nothing else of this machine.
set -eu
cd "$(dirname "$0")"
. scripts/prepare.sh
. scripts/private-node.sh

[ "$(id -u)" -eq 0 ] || fail "containers need root: sudo ./demo.sh"
install_missing maven cc containerd runc busybox
find_jdk
for program in mvn cc containerd ctr runc busybox; do
    has $program || fail "there is no $program on PATH"
done

say "== Building (the first time, Maven downloads what it needs)"
mvn -B -q -ntp -Dstyle.color=never -DskipTests -pl tardis-dist -am package

# What a person would type is printed, without the options that only keep this demo apart.
run() {
    say "\$ ctr run --rm --runc-binary tardis-runc --env TARDIS_ENABLE=1 ... $*"
    our_run "$bin/tardis-runc" --rm --env TARDIS_ENABLE=1 "$node/rootfs" "$@" || say "(exit status $?)"
}

ask() {
    say "\$ tardis $*"
    "$bin/tardis" "$@" || say "(exit status $?)"
}

has_lines() {
    [ "$(wc -l <"$1")" -ge "$2" ]
}

open_node

say "== Containers that end with 0, with 7, and by a signal. The first one starts the daemon"
run good /bin/true
"$bin/tardis" watch --all >"$node/watch.out" &
watch_pid=$!
run seven /bin/sh -c 'exit 7'
say "\$ ctr run --detach --runc-binary tardis-runc --env TARDIS_ENABLE=1 ... killed /bin/sleep 600"
our_run "$bin/tardis-runc" --detach --env TARDIS_ENABLE=1 "$node/rootfs" killed /bin/sleep 600
say "\$ ctr task kill --signal SIGKILL killed"
our_ctr task kill --signal SIGKILL killed
ask wait killed
our_ctr task delete killed >/dev/null 2>&1 || true

say "== containerd has forgotten them. How did they end?"
ask get good
ask get seven
ask get never-run
ask ls
ask status

say "== What was published: \$ tardis watch"
until_true 100 has_lines "$node/watch.out" 3 || fail "not everything was published"
kill "$watch_pid"
cat "$node/watch.out"

say "== What was cleaned up (good, which ended with 0) and what was kept (all others)"
say "\$ ls \$TARDIS_STATE_DIR/containers/default"
ls "$node/state/containers/default"
