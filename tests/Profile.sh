#!/usr/bin/env bash
# --profile of the examples, and the command line of an example that has none of its own.
# needs: example_quickstart example_batch_norm_dialects
set -euo pipefail
examples=$EMBER_BUILD_DIR/examples
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() {
  echo "$*"
  exit 1
}
expect() {  # expect CODE TEXT PROGRAM ARGS...
  local code=$1 text=$2 got=0
  shift 2
  "$examples/$1" "${@:2}" >out.txt 2>&1 || got=$?
  [[ $got == "$code" ]] && grep -qF -- "$text" out.txt || fail "$*: expected exit $code and \"$text\", got $got and: $(<out.txt)"
}

expect 0 '--profile [FILE]' quickstart --help
expect 2 'quickstart --help lists the flags' quickstart --xyzzy
expect 1 'no-such-folder' quickstart --profile no-such-folder/trace.json
[[ ! -e net.json ]] || fail "a refused command trained"
expect 0 'trace.json: open it with chrome://tracing' quickstart --profile trace.json
grep -qE '^epoch 2: [0-9.]+ % of the test images$' out.txt || fail "quickstart --profile: not what quickstart prints: $(<out.txt)"
for line in '^layer +calls +forward ms +backward ms' '^  0  Conv2D 1 -> 32' '^op +calls' '^conv' '^batchNorm ' '^optimiser step '; do
  grep -qE "$line" out.txt || fail "quickstart --profile: no line $line in: $(<out.txt)"
done
rm net.json
expect 0 'net.json exists and was not written by this program; give --profile another name' quickstart --profile net.json
[[ $(head -c 200 net.json) == *'"format"'* ]] || fail "--profile wrote over the net that the program saved"
expect 2 'net.json exists and was not written by this program' quickstart --profile net.json
python=$(command -v python3 || true)
[[ -z $python ]] || "$python" -c 'import json; assert all(e["ph"] == "X" for e in json.load(open("trace.json"))["traceEvents"])'

# A report to /dev/stdout goes behind what is there, and takes the place of nothing.
expect 0 '"traceEvents":[' batch_norm_dialects --batches 1 --profile /dev/stdout
for line in '^op +calls' '^/dev/stdout: open it'; do
  grep -qE "$line" out.txt || fail "--profile /dev/stdout: no line $line in: $(<out.txt)"
done
expect 0 'profile.json: open it' batch_norm_dialects --batches 1 --profile
[[ -s profile.json ]] || fail "batch_norm_dialects --profile: no profile.json"
expect 2 'the name of the file is empty' batch_norm_dialects --profile ''
