#!/bin/sh
# scripts/fuzz.sh [SECONDS], by default 240: fuzzes the launcher's command line (C) with libFuzzer
# for so long, and beside it the Java targets with Jazzer, one after the other, a quarter of it each.
# What it learned is kept in .cifuzz-corpus beside each module's pom.xml and used the next time. A
# finding fails the script and names the file that holds the input. Without clang and its libraries
# only Java is fuzzed; with CI=true that is a failure.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

seconds=${1:-240}
case $seconds in
'' | *[!0-9]* | 0* | [123]) fail "usage: scripts/fuzz.sh [SECONDS], at least 4" ;;
esac
find_jdk
has mvn || fail "no Maven (mvn) on PATH"

built=tardis-runc/target/fuzz
seeds=$built/seeds
corpus=tardis-runc/.cifuzz-corpus/command

# One file for each vector: its arguments, each ended by NUL.
make_seeds() {
    number=0
    set -f
    sed -n '/^#/!s/^.* | //p' tardis-runc/src/test/resources/io/tardis/runc/command-lines.txt | while IFS= read -r vector; do
        number=$((number + 1))
        for word in $vector; do
            [ "$word" != '""' ] || word=
            printf '%s\0' "$word"
        done >"$seeds/$number"
    done
    set +f
}

fuzz_launcher() {
    mkdir -p "$seeds" "$corpus"
    # shellcheck disable=SC2046 # several files
    clang -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
        -I tardis-runc/src/main/c -o "$built/command" tardis-runc/src/test/c/fuzz-command.c \
        $(ls tardis-runc/src/main/c/*.c | grep -v /tardis-runc.c) || fail "the launcher's target does not compile"
    make_seeds
    "$built/command" -max_total_time="$seconds" -max_len=4096 -timeout=10 -artifact_prefix=tardis-runc/ \
        "$corpus" "$seeds" >"$built/log" 2>&1 && return
    grep -v '^#' "$built/log" | tail -n 60 >&2
    fail "a finding in the launcher: $(sed -n 's/.*Test unit written to /its input is /p' "$built/log"), its log is $built/log"
}

# Jazzer fuzzes one target a JVM, so surefire starts one for each class.
JAZZER_FUZZ=1 JAZZER_MAX_DURATION="$((seconds / 4))s" mvn -B -ntp -q test -pl tardis-core,tardis-listener -am \
    -Dtest='CtrEventParserFuzzTest,WireFuzzTest' -DreuseForks=false -Dsurefire.failIfNoSpecifiedTests=false &
jazzer=$!
trap 'kill "$jazzer" 2>/dev/null || true' EXIT

if has_fuzzer; then
    fuzz_launcher
elif [ "${CI:-}" = true ]; then
    fail "no clang with libFuzzer and its sanitizers: the launcher cannot be fuzzed, and CI=true"
else
    say "No clang with libFuzzer and its sanitizers: the launcher is not fuzzed."
fi
wait "$jazzer" || fail "a finding in Java: Jazzer names its file above"
