#!/bin/sh
# Runs every scenario, and ten runs with faults of all kinds. The exit code says whether everything held.
set -eu
cd "$(dirname "$0")"
tribune=${TRIBUNE:-tribune}
saved=${TMPDIR:-/tmp}/sim-failed.json

for scenario in scenarios/*.json; do
  echo "== $scenario"
  "$tribune" sim -config-dir agents -scenario "$scenario" -save "$saved"
done
echo '== faults of all kinds'
"$tribune" sim -config-dir agents -runs 10 -seed example -save "$saved"
