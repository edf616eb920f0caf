#!/bin/sh
# Tests Tardis on the containerd of several Debian suites: scripts/matrix.sh [SUITE...], by default
# bookworm trixie sid. As root, on Debian, with deb822 sources.
#
# Each suite's containerd (with ctr and its shim) comes from the package mirror that this machine's
# apt uses, and is unpacked into .matrix/, not installed; so are dockerd and docker, from sid. The
# runtime is this machine's runc. On each version run: the main path, the faults in their short form,
# these without the kernel's witness (on a kernel that has one), Docker's codes, and those of pods. Everything is tried; the last lines say what failed.
# MATRIX_STEPS="main docker" runs these alone.
set -eu
cd "$(dirname "$0")/.."
. scripts/prepare.sh

main='ExitsIT,FirstContainerIT,PlainRuncIT,RuncTransparencyIT,PythonClientsIT,KernelWitnessIT,WithoutKernelWitnessIT,RecordAllIT,DockerIT'
faults='SourceIT,LostIT,DaemonKilledIT,StartIT,ManyContainersIT,SubscriberIT,DisturbancesIT,DescriptorsIT,DaemonCommandIT'
docker_suite=sid # older ones lack a docker that knows containerd 2
work=$PWD/.matrix
[ "$(id -u)" -eq 0 ] || fail "containers need root"
[ $# -gt 0 ] || set -- bookworm trixie sid

newer_apt() {
    apt-get -q -o Dir::Etc::sourcelist="$work/newer.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}

# The first stanza of this machine's Debian source, for other suites.
list_suites() {
    source=$(grep -ls '^Types:.*deb' /etc/apt/sources.list.d/*.sources | head -n 1)
    [ -n "$source" ] || fail "apt has no deb822 source (/etc/apt/sources.list.d/*.sources)"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    suites=$(printf '%s ' $(printf '%s\n' "$@" | sort -u))
    sed '/./!q' "$source" | sed "s/^Suites:.*/Suites: $suites/" >"$work/newer.sources"
    newer_apt update >/dev/null || fail "apt-get update failed for the suites $*"
}

# unpack SUITE FOLDER PACKAGE...: its programs are then in FOLDER.
unpack() {
    suite=$1
    folder=$2
    shift 2
    [ ! -d "$folder" ] || return 0
    rm -rf "$work/unpacking"
    mkdir "$work/unpacking"
    for package in "$@"; do
        (cd "$work/unpacking" && newer_apt download "$package/$suite" >/dev/null) || fail "no $package in $suite"
    done
    for package in "$work/unpacking"/*.deb; do
        dpkg -x "$package" "$work/unpacking/root"
    done
    mkdir "$work/unpacking/bin"
    find "$work/unpacking/root" -path '*bin/*' -type f -perm -u+x -exec mv -t "$work/unpacking/bin" {} +
    mv "$work/unpacking/bin" "$folder"
}

# step NAME COMMAND...: runs it, its output to a file, and notes whether it failed.
step() {
    name=$1
    shift
    case " ${MATRIX_STEPS:-main faults shims docker pods} " in *" $name "*) ;; *) return 0 ;; esac
    say "== $version: $name (output in $work/$name-$version.log)"
    if "$@" >"$work/$name-$version.log" 2>&1; then
        results="$results$version: $name passed
"
    else
        results="$results$version: $name FAILED, see $work/$name-$version.log
"
        failed=1
    fi
}

# integration_tests TESTS [MAVEN-OPTION...]
integration_tests() {
    tests=$1
    shift
    CI=true TARDIS_IT_CONTAINERD="$folder" PATH="$work/docker:$PATH" mvn -B -ntp verify -pl tardis-it -am \
        -Dit.test="$tests" "$@" -Dtest=none -Dsurefire.failIfNoSpecifiedTests=false -Dfailsafe.failIfNoSpecifiedTests=false
}

codes() {
    env -u CI TARDIS_IT_CONTAINERD="$folder" PATH="$work/docker:$PATH" "scripts/$1-codes.sh"
}

install_missing maven cc containerd runc busybox python3-zmq python3-grpcio ext4
find_jdk
has mvn || fail "no Maven (mvn) on PATH"
list_suites "$@" "$docker_suite"
unpack "$docker_suite" "$work/docker" docker.io docker-cli
results=
failed=0
mvn -B -ntp -q -DskipTests package
for suite in "$@"; do
    folder=$work/$suite
    unpack "$suite" "$folder" containerd
    version=$("$folder/containerd" --version | sed 's/.*\/v2 \|.*\/containerd //; s/[~+ ].*//')
    step main integration_tests "$main"
    step faults integration_tests "$faults"
    step shims integration_tests "$faults" -Dtardis.it.witness=off
    step docker codes docker
    step pods codes pod
done
printf '%s' "$results"
exit "$failed"
