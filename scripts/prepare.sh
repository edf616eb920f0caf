# Sourced by ../test.sh, ../demo.sh and fuzz.sh: what they need before Maven can run.

say() {
    printf '%s\n' "$*"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# A JDK says its version in the file "release".
is_jdk_25() {
    [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 1
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release")
    [ "${version:-0}" -ge 25 ]
}

# Sets JAVA_HOME to a JDK 25 or later: the one it names, the one on PATH, or one in the usual folders.
find_jdk() {
    on_path=$(command -v javac || true)
    [ -z "$on_path" ] || on_path=$(readlink -f "$on_path")
    for jdk in "${JAVA_HOME:-}" "${on_path%/bin/javac}" /usr/lib/jvm/* /opt/java/* /opt/jdk* /usr/local/jdk*; do
        if is_jdk_25 "$jdk"; then
            export JAVA_HOME="$jdk"
            # Maven 3's own libraries use sun.misc.Unsafe, and this JDK warns of that. The first compiler
            # is enough for a build of minutes.
            export MAVEN_OPTS="${MAVEN_OPTS:-} --sun-misc-unsafe-memory-access=allow -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
            return
        fi
    done
    fail "no JDK 25 or later found (JAVA_HOME, PATH, /usr/lib/jvm, /opt, /usr/local). Install one, or set JAVA_HOME."
}

has() {
    command -v "$1" >/dev/null 2>&1
}

has_static_cc() {
    has cc && echo 'int main(void) { return 0; }' | cc -static -x c -o /dev/null - 2>/dev/null
}

# Debian's plain busybox needs libraries that an empty root file system does not have.
has_static_busybox() {
    has busybox && ldd "$(command -v busybox)" 2>&1 | grep -Eq 'not a dynamic executable|statically linked'
}

has_python() {
    [ -x /usr/bin/python3 ] && /usr/bin/python3 -c "import $1" 2>/dev/null
}

# Whether clang can build what scripts/fuzz.sh needs.
has_fuzzer() {
    has clang && echo 'int LLVMFuzzerTestOneInput(const char *data, long size) { return data == 0 && size != 0; }' |
        clang -fsanitize=fuzzer,address,undefined -x c -o /dev/null - 2>/dev/null
}

# install_missing NEED...: installs with apt what is missing of: containerd runc cc clang busybox python3-zmq python3-grpcio ext4 chromium docker prometheus maven.
# Docker is then in .docker/ if dockerd is not on PATH.
install_missing() {
    packages=
    optional=
    for need in "$@"; do
        case $need in
        containerd) { has containerd && has ctr; } || packages="$packages containerd" ;;
        runc) has runc || packages="$packages runc" ;;
        cc)
            has_static_cc || packages="$packages gcc libc6-dev"
            has musl-gcc || optional="$optional musl-tools" # the launcher starts faster with it
            ;;
        clang) has_fuzzer || optional="$optional clang" ;;
        busybox) has_static_busybox || packages="$packages busybox-static" ;;
        python3-grpcio) has_python grpc || packages="$packages python3-grpcio" ;;
        python3-zmq) has_python zmq || packages="$packages python3-zmq" ;;
        ext4) { has mkfs.ext4 && has e2fsck; } || packages="$packages e2fsprogs" ;;
        prometheus) { has prometheus && has promtool; } || packages="$packages prometheus" ;;
        chromium) has chromium || optional="$optional chromium" ;;
        docker) has dockerd || [ -x .docker/dockerd ] || unpack_docker ;;
        maven) has mvn || packages="$packages maven" ;;
        esac
    done
    [ -n "$packages$optional" ] || return 0
    if ! has apt-get || [ "$(id -u)" -ne 0 ]; then
        [ -z "$packages" ] || say "Missing here, and only root on Debian or Ubuntu could install it now:$packages"
        return 0
    fi
    say "Installing$packages$optional"
    case $packages in
    *prometheus*)
        # The tests start their own; Debian's package would start a service that serves port 9090.
        [ ! -d /run/systemd/system ] || systemctl mask -q prometheus
        ;;
    esac
    apt-get update -q >/dev/null || say "Going on with the lists of packages that are there"
    # shellcheck disable=SC2086 # several packages
    [ -z "$packages" ] || apt_install $packages >/dev/null || fail "apt-get could not install$packages"
    for package in $optional; do
        apt_install "$package" >/dev/null 2>&1 || say "Going on without $package"
    done
    # Where its libraries do not come with it, they have a package named after its version.
    case $optional in
    *clang*)
        has_fuzzer || ! has clang || apt_install "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" >/dev/null 2>&1 ||
            say "Going on without clang's libraries"
        ;;
    esac
}

# Unpacked, not installed: the package would start a dockerd of the machine.
unpack_docker() {
    if has apt-get && [ "$(id -u)" -eq 0 ]; then
        rm -rf .docker
        mkdir .docker
        (cd .docker && { apt-get download docker.io || { apt-get update -q && apt-get download docker.io; }; } &&
            dpkg -x docker.io_*.deb unpacked && mv unpacked/usr/bin/docker unpacked/usr/sbin/dockerd . &&
            rm -rf unpacked docker.io_*.deb) >/dev/null 2>&1 || say "Going on without Docker"
    fi
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$@"
}
