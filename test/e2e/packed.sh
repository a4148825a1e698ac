#!/usr/bin/env bash
# Installs the packed program as a user would, dependencies and Node included, and lets an agent of it answer.
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$(mktemp -d)
agent=
finish() {
  [ -z "$agent" ] || { kill "$agent" 2>/dev/null && wait "$agent"; } || true
  rm -rf "$prefix"
}
trap finish EXIT

npm pack --silent --pack-destination "$prefix" >/dev/null
npm install --silent --global --prefix "$prefix" --prefer-offline --no-audit --no-fund "$prefix"/tribune-*.tgz
# Only the Node that came with the package is there.
tribune() { env -i HOME="$HOME" PATH=/usr/bin:/bin "$prefix/bin/tribune" "$@"; }
cd /
tribune version
mkfifo "$prefix/log"
env -i HOME="$HOME" PATH=/usr/bin:/bin "$prefix/bin/tribune" agent -dev -client 127.0.0.77 -http-port 18577 -dns-port 18578 >"$prefix/log" &
agent=$!
exec 3<"$prefix/log"
while read -r line <&3; do
  case $line in *'Tribune agent running!'*) break ;; esac
done
tribune kv put -http-addr=127.0.0.77:18577 packed works
[ "$(tribune kv get -http-addr=127.0.0.77:18577 packed)" = works ]
tribune leave -http-addr=127.0.0.77:18577
wait "$agent"
agent=
