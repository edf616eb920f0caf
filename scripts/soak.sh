#!/bin/sh
# Lives of real containers for a long time, while what the daemon takes is looked at every 10 s:
# scripts/soak.sh [LIVES [MINUTES]], by default 10000 lives over 20 minutes.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

install_missing maven cc containerd runc busybox python3-zmq
find_jdk
exec mvn -B -ntp verify -pl tardis-it -am -Dtest=none -Dsurefire.failIfNoSpecifiedTests=false \
    -Dit.test=SoakIT -Dfailsafe.failIfNoSpecifiedTests=false \
    "-Dtardis.it.lives=${1:-10000}" "-Dtardis.it.minutes=${2:-20}"
