#!/usr/bin/env bash
# Runs an example on a little data, in a new folder below the current one.
#   example.sh PROGRAM SOURCE...
# With which arguments, the program's source says in lines "// test: ARGS", run in their order; none: run once without.
set -euo pipefail
program=$1
shift
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mapfile -t commands < <(sed -n 's|^// test: *||p' "$@")
((${#commands[@]})) || commands=('')
for command in "${commands[@]}"; do
  echo "== $(basename "$program") $command"
  eval "arguments=($command)"
  "$program" "${arguments[@]}"
done
