#!/bin/sh
# Installs Tardis from this directory as DIR, or puts this version in the place of the one there:
#
#     install.sh [--no-aot-cache] [DIR]        DIR is /opt/tardis if not said otherwise
#
# DIR is a link to DIR.versions/VERSION-CHECKSUM, and swapped at once when that is complete: whoever
# calls DIR/bin/tardis-runc finds the old version or the new one. Then the daemon, if one runs, is
# replaced without missing an exit. The version before is kept, older ones are removed unless a
# process uses them. Killed at any time, this leaves what was installed; a second run goes on. To go
# back, run the install.sh of the version before.
set -eu
umask 022
export LC_ALL=C

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# What tells builds of one version apart.
checksum() {
    (cd "$1" && find bin lib install.sh -type f -exec cksum {} + | sort -k 3 | cksum | cut -d ' ' -f 1)
}

is_used() {
    grep -qsF "$1/" /proc/[0-9]*/cmdline
}

cache=yes
[ "${1:-}" != --no-aot-cache ] || { cache=no && shift; }
case $#${1:-} in
0 | 1[!-]*) ;;
*) fail "usage: install.sh [--no-aot-cache] [DIR]" ;;
esac

source=$(cd -P "$(dirname "$0")" && pwd -P)
jar=$(ls "$source"/lib/tardis-cli-*.jar) || fail "$source holds no Tardis: build it with mvn -DskipTests package"
version=${jar##*/tardis-cli-}
version=${version%.jar}-$(checksum "$source")

directory=/opt/tardis
[ "${source%.versions/*}" = "$source" ] || directory=${source%.versions/*}
directory=${1:-$directory}
mkdir -p "$(dirname "$directory")"
directory=$(cd -P "$(dirname "$directory")" && pwd -P)/$(basename "$directory")
versions=$directory.versions
mkdir -p "$versions"
if command -v flock >/dev/null; then
    exec 9>"$versions/.lock"
    flock -n 9 || fail "another install.sh is at work in $versions"
fi
rm -rf "$versions"/.new # of a run that was killed

# One of this name whose files were changed since is left alone: the daemon may run from it.
while [ -e "$versions/$version" ] && [ "$version" != "${version%-*}-$(checksum "$versions/$version")" ]; do
    version=$version-again
done
if [ ! -e "$versions/$version" ]; then
    mkdir "$versions/.new"
    cp -R "$source/bin" "$source/lib" "$source/install.sh" "$versions/.new"
    sync -f "$versions/.new"
    mv "$versions/.new" "$versions/$version"
fi
if [ $cache = yes ] && [ ! -s "$versions/$version.aot" ]; then
    "$versions/$version/lib/aot-cache.sh" 9>&- ||
        echo "install.sh: goes on without $versions/$version.aot: all starts take longer until lib/aot-cache.sh has made it" >&2
fi

if [ -e "$directory" ] && [ ! -L "$directory" ]; then
    fail "$directory was not made by install.sh, and cannot be swapped at once. Version $version is ready; while no container starts, type:
    mv $directory $directory.old && ln -s ${versions##*/}/$version $directory && $directory/bin/tardis restart"
fi
before=$(readlink "$directory" || true)
if [ "$before" != "${versions##*/}/$version" ]; then
    echo "${before##*/}" >"$versions/.before"
    ln -sfn "${versions##*/}/$version" "$versions/.link"
    mv -fT "$versions/.link" "$directory"
fi
echo "Tardis $version is installed as $directory"

if status=$("$directory/bin/tardis" status 9>&-) || [ $? -ne 3 ]; then
    daemon=$(echo "$status" | sed -n 's/^daemon .* process \([0-9]*\).*/\1/p')
    if [ -z "$daemon" ]; then
        fail "it cannot be found out whether a daemon runs: $status"
    elif grep -qsF "=$versions/$version/" "/proc/$daemon/cmdline"; then
        : # of this version
    elif tr '\0' '\n' <"/proc/$daemon/environ" | grep -q '^INVOCATION_ID='; then
        echo "the daemon (process $daemon) is a service: restart that, for example with 'systemctl restart tardis'"
    else
        "$directory/bin/tardis" restart 9>&- || fail "the daemon of the version before goes on; $directory/bin/tardis restart tries again"
    fi
fi

for old in "$versions"/*/; do
    old=${old%/}
    case ${old##*/} in
    "$version" | "$(cat "$versions/.before" 2>/dev/null)") ;;
    *-[0-9]*) # what is not Tardis's stays
        ls "$old"/lib/tardis-cli-*.jar "$old"/bin/tardis-runc >/dev/null 2>&1 || continue
        is_used "$old" || rm -rf "$old" "$old.aot"
        ;;
    esac
done
