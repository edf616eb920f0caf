#!/bin/sh
# How many bytes of exits.db an exit takes: minutes, and some gigabytes in the temporary folder.
#
#   tardis-bench/src/main/sh/disk.sh [EXITS [FOLDER [not_kept|pod|largest|escaped]]]
set -eu
cd "$(dirname "$0")/../../../.."
. scripts/prepare.sh
find_jdk

[ -d tardis-bench/target/lib ] || fail "build it first: mvn -DskipTests package"
exec "$JAVA_HOME/bin/java" -Xmx256m -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED \
    -cp "tardis-bench/target/classes:tardis-bench/target/lib/*" io.tardis.store.DiskBenchmark "$@"
