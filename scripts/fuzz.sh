#!/bin/sh
# Fuzzes the targets with Jazzer: scripts/fuzz.sh [SECONDS_PER_TARGET], by default 60. First the one of
# tardis-core, then the two others side by side.
# What it learned is kept in .cifuzz-corpus beside each module's pom.xml and used the next time. A
# finding fails the script and names the file that holds the input.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

seconds=${1:-60}
case $seconds in
    '' | *[!0-9]* | 0*) fail "usage: scripts/fuzz.sh [SECONDS_PER_TARGET]" ;;
esac
find_jdk
has mvn || fail "no Maven (mvn) on PATH"

# Jazzer fuzzes one target a JVM, so surefire starts one for each class.
JAZZER_FUZZ=1 JAZZER_MAX_DURATION="${seconds}s" mvn -B -ntp -q -T 2 test -pl tardis-core,tardis-listener,tardis-runc -am \
    -Dtest='CtrEventParserFuzzTest,WireFuzzTest,RuncCommandLineFuzzTest' -DforkCount=3 -DreuseForks=false \
    -Dsurefire.failIfNoSpecifiedTests=false
