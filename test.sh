#!/bin/sh
# Builds Tardis and runs every test, the integration tests on a real containerd too. As root, on
# Debian or Ubuntu, it installs what is missing. Where no container can run, the integration tests
# are skipped and say why; with CI=true that is a failure. TARDIS_IT_CONTAINERD names a folder with
# another containerd, ctr and shim than the machine's to test with.
set -eu
cd "$(dirname "$0")"
. scripts/prepare.sh

install_missing maven cc clang containerd runc busybox python3-zmq ext4 chromium docker prometheus
find_jdk
has mvn || fail "no Maven (mvn) on PATH"
PATH=$PATH:$PWD/.docker mvn -B -ntp -T 2 clean verify "$@" # the unit tests of two modules at a time
# After the tests, so that it takes no time from those that measure it.
scripts/fuzz.sh 60
say "All tests passed."
