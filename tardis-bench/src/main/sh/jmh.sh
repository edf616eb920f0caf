#!/bin/sh
# Runs the JMH benchmarks, with JMH's own options:
#
#   tardis-bench/src/main/sh/jmh.sh [-f 1 -wi 3 -i 5 REGEXP]
set -eu
cd "$(dirname "$0")/../../../.."
. scripts/prepare.sh
find_jdk

[ -d tardis-bench/target/lib ] || fail "build it first: mvn -DskipTests package"
exec "$JAVA_HOME/bin/java" -cp "tardis-bench/target/classes:tardis-bench/target/lib/*" org.openjdk.jmh.Main "$@"
