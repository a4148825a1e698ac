#!/bin/sh
# Runs every scenario, and then some runs with drawn faults. The exit code says whether everything held.
set -eu
cd "$(dirname "$0")"
tribune=${TRIBUNE:-tribune}
saved=${TMPDIR:-/tmp}/sim-failed.json

for scenario in scenarios/*.json; do
  echo "== $scenario"
  "$tribune" sim -config-dir agents -scenario "$scenario" -save "$saved"
done
echo '== drawn faults'
"$tribune" sim -config-dir agents -runs 10 -seed example -faults crash,partition,slow-link,program-stops -save "$saved"
