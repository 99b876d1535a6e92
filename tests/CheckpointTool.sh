#!/usr/bin/env bash
# examples/checkpoint: what it shows, verifies, compares and migrates, what it refuses, and with which exit code.
# needs: example_checkpoint
set -uo pipefail
program=$EMBER_BUILD_DIR/examples/checkpoint
golden=$EMBER_SOURCE_DIR/tests/golden/checkpoints
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failures=0

# expect CODE TEXT ARGS...: exits with CODE, and TEXT is somewhere in what it says
expect() {
  local code=$1 text=$2
  shift 2
  "$program" "$@" >out.txt 2>&1
  local got=$?
  if [[ $got != "$code" ]] || { [[ $text ]] && ! grep -qF -- "$text" out.txt; }; then
    echo "checkpoint $*: expected exit $code and \"$text\", got $got and:"
    sed 's/^/    /' out.txt
    failures=$((failures + 1))
  fi
}
also() { grep -qF -- "$1" out.txt || { echo "and \"$1\", but it says:"; sed 's/^/    /' out.txt; failures=$((failures + 1)); }; }

cp "$golden"/{net,net_readable,types,types_readable,sgd,adam}.json .

# ---- usage: 2
expect 0 "migrate" --help
expect 0 "OLD" migrate --help
expect 2 "say what to do: show, verify, diff, migrate"
expect 2 'there is no command "shwo"; did you mean "show"?' shwo net.json
expect 2 'there is no command "xyzzy"; there are show, verify, diff, migrate' xyzzy
expect 2 'there is no flag "--hlep"; did you mean "--help"?' --hlep
expect 2 'migrate: there is no --readble; did you mean "--readable"?' migrate --readble net.json new.json
expect 2 'there is no --xyzzy' verify net.json --xyzzy
expect 2 "FILE" show
expect 2 "B" diff net.json
expect 2 '"types.json" is one file too many' show net.json types.json

# ---- show
expect 0 "net.json: an ember checkpoint of 9 tensors" show net.json
also "written by ember 0.1.0"
also "BatchNorm2D"
also "0.weight"
also "[2, 1, 3, 3]"
also "param: 6 tensors, 123 elements, 492 bytes"
expect 0 "optim.momentum" show sgd.json
also "epoch"
expect 0 "18446744073709551615" show types.json
expect 1 "No such file" show missing.json

# ---- verify
for file in net net_readable types types_readable sgd adam; do expect 0 "$file.json is whole" verify $file.json; done
head -c 2000 sgd.json >cut.json
expect 1 '"cut.json" is cut off' verify cut.json
sed 's/"crc32": "./"crc32": "x/' net.json >crc.json
expect 1 "expected eight hexadecimal digits" verify crc.json
: >empty.json
expect 1 '"empty.json" is empty (0 bytes)' verify empty.json
gzip -k net.json
expect 1 "gunzip -k FILE" verify net.json.gz
expect 1 "is a directory" verify .

# ---- diff: how numbers are written makes no difference, every bit of them does
expect 0 "" diff net.json net_readable.json
[[ ! -s out.txt ]] || { echo "equal files, but: $(cat out.txt)"; failures=$((failures + 1)); }
expect 0 "" diff types.json types_readable.json
expect 1 "optimizer.type: \"SGD\" | \"Adam\"" diff sgd.json adam.json
also "only in the first"
also "only in the second"
also "elements differ, by"
expect 1 "cut off" diff net.json cut.json
sed 's/"epsilon": 1e-05/"epsilon": 2e-05/' net.json >changed.json
cmp -s net.json changed.json || expect 1 "epsilon: 1e-05 | 2e-05" diff net.json changed.json

# ---- migrate
expect 0 "wrote new.json" migrate net_readable.json new.json
cmp -s new.json net.json || { echo "migrate does not write what save wrote"; failures=$((failures + 1)); }
cp new.json kept.json
expect 1 '"new.json" exists' migrate types.json new.json
cmp new.json kept.json || failures=$((failures + 1))
expect 1 '"net.json" exists' migrate net.json net.json
expect 0 "wrote readable.json" migrate --readable types.json readable.json
cmp readable.json types_readable.json || failures=$((failures + 1))
ln -s nowhere link.json
expect 1 '"link.json" exists' migrate net.json link.json
expect 1 '"cut.json" is cut off' migrate cut.json other.json
[[ ! -e other.json ]] || { echo "a failed conversion leaves a file"; failures=$((failures + 1)); }
expect 1 "no-such-folder" migrate net.json no-such-folder/new.json
sed 's/"format_version": "1.0"/"format_version": "1.9"/; s/"tensors": \[/"licence": "free", "tensors": [/' net.json >later.json
expect 0 "wrote now.json" migrate later.json now.json
grep -q '"licence": "free"' now.json || { echo "migrate loses a member it does not know"; failures=$((failures + 1)); }
grep -q '"format_version": "1.0"' now.json || { echo "migrate writes another version"; failures=$((failures + 1)); }
sed 's/"format_version": "1.0"/"format_version": "2.0"/' net.json >newer.json
expect 1 "has the format version 2.0, this ember reads 1.x" migrate newer.json never.json
also 'ember "0.1.0", which wrote it, or a newer one reads it'

exit $((failures > 0))
