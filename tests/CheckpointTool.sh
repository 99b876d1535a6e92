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
# Texts of a file move no cursor and colour nothing, and long ones make no column wide.
sed 's/"train": {/"train": {"x\\u001b[2J": "\\u001b]0;title\\u0007 \\u009b31m", /' sgd.json >escapes.json
expect 0 'x\x1b[2J' show escapes.json
also '\x1b]0;title\x07 \xc2\x9b31m'
if LC_ALL=C grep -q $'[\x1b\x07\x9b]' out.txt; then echo "show prints what a terminal obeys"; failures=$((failures + 1)); fi
expect 1 'train.x\x1b[2J: missing |' diff sgd.json escapes.json
if LC_ALL=C grep -q $'[\x1b\x07\x9b]' out.txt; then echo "diff prints what a terminal obeys"; failures=$((failures + 1)); fi
{ printf '"'; head -c 1000000 /dev/zero | tr '\0' k; printf '": 1'; seq -f ', "k%.0f": 1' 20000 | tr -d '\n'; } >many.txt
awk 'NR == FNR { many = $0; next } { at = index($0, "\"train\": {"); if (at) $0 = substr($0, 1, at + 9) many ", " substr($0, at + 10); print }' \
  many.txt sgd.json >wide.json
expect 0 "... and" show wide.json
(($(wc -c <out.txt) < 100000)) || { echo "show makes $(wc -c <out.txt) bytes of a hostile file"; failures=$((failures + 1)); }
expect 1 "No such file" show missing.json
"$program" show net.json 2>out.txt >/dev/full && { echo "a full standard output: exit 0"; failures=$((failures + 1)); }
grep -q "cannot write" out.txt || { echo "a full standard output is not told: $(<out.txt)"; failures=$((failures + 1)); }

# ---- verify
for file in net net_readable types types_readable sgd adam; do expect 0 "$file.json is whole" verify $file.json; done
also "not checked: data, schedule and options of the program that goes on"
also "checked: the optimiser's slots and the averages fit the net"
expect 0 "checked: the net can be built and takes the tensors" verify net.json
also "not checked: what the net computes: the file has no self-test"
expect 0 "not checked: the net: the file does not describe it" verify types.json
release=$golden/0.1.0
expect 0 "checked: it computes what it computed when it was saved" verify "$release/tested.json"
expect 0 'not checked: the net: "GoldenTied" is a type of the program that saved it' verify "$release/tied.json"
for file in sgd adam; do expect 0 "checked: the optimiser's slots" verify "$release/$file.json"; done
# A changed header is not the one that was written: what it says is not looked at.
unsummed='s/, "header_crc32": "[0-9a-f]*"//'
sed 's/"p": 0.25/"p": 0.26/' "$release/tested.json" >spoilt.json
cmp -s spoilt.json "$release/tested.json" && { echo "no \"p\" to change"; failures=$((failures + 1)); }
expect 1 "the header is not the one that was written" verify spoilt.json
sed -i "$unsummed" spoilt.json
expect 0 "spoilt.json is whole" verify spoilt.json
# What a load refuses verify refuses, also where no check sum tells.
spoilt() {
  sed "$1" "$2" >spoilt.json
  cmp -s spoilt.json "$2" && { echo "$1 changes nothing"; failures=$((failures + 1)); }
  sed -i "$unsummed" spoilt.json
  expect 1 "$3" verify spoilt.json
}
spoilt 's/"type": "Dropout", "args": {"p": 0.25/"type": "Dropout", "args": {"p": 2.25/' net.json "cannot be built here"
spoilt 's/"out": 3/"out": 4/' net.json "does not fit the net"
spoilt 's/"scale": [^,}]*/"scale": 1e300/' "$release/tested.json" "does not compute what it computed"
spoilt 's/"frozen": \["0.weight"/"frozen": ["0.wieght"/' "$release/tested.json" '"frozen" names "0.wieght"'
spoilt 's/"aliases": {"in.weight": "back"/"aliases": {"in.weight": "kcab"/' "$release/tied.json" '"aliases" gives "in.weight"'
spoilt '/"train"/,/"optimizer"/s/"step": "7"/"step": "8"/' sgd.json '"optimizer.step" is "7", expected 8, the train.step'
spoilt 's/"seed": "5"/"seed": "-5"/' sgd.json '"train.seed" is "-5"'
spoilt 's/"lr_factor"/"rl_factor"/' adam.json '"optimizer.lr_factor" is missing'
spoilt 's|optim/exp_avg/0.weight|optim/exp_avg/0.wieght|' adam.json "2 tensors of the run do not fit"
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

# ---- migrate: the same bytes, and the header's sum, which the first files did not have
expect 0 "wrote new.json" migrate net_readable.json new.json
sed "$unsummed" new.json | cmp -s - net.json || { echo "migrate does not write what save wrote"; failures=$((failures + 1)); }
cp new.json kept.json
expect 1 '"new.json" exists' migrate types.json new.json
cmp new.json kept.json || failures=$((failures + 1))
expect 1 '"net.json" exists' migrate net.json net.json
expect 0 "wrote readable.json" migrate --readable types.json readable.json
sed "$unsummed" readable.json | cmp - types_readable.json || failures=$((failures + 1))
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

# ---- golden files of a release are never written again
before=$(find "$golden" -type f -exec cksum {} +)
for args in "" 0.1.0 ../checkpoints .; do
  EMBER_BUILD_DIR=/nowhere "$golden/generate" $args >out.txt 2>&1 && { echo "generate $args: no error"; failures=$((failures + 1)); }
  [[ $args != 0.1.0 ]] || also "the files of a release are never written again"
done
[[ $(find "$golden" -type f -exec cksum {} +) == "$before" ]] || { echo "generate changed golden files"; failures=$((failures + 1)); }

exit $((failures > 0))
