#!/usr/bin/env bash
# The command line of examples/fashion_mnist: what it refuses, with which exit code and word, and what a signal does.
# needs: example_fashion_mnist
set -uo pipefail
program=$EMBER_BUILD_DIR/examples/fashion_mnist
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
  if [[ $got != "$code" ]] || ! grep -qF -- "$text" out.txt; then
    echo "fashion_mnist $*: expected exit $code and \"$text\", got $got and:"
    sed 's/^/    /' out.txt
    failures=$((failures + 1))
  fi
}

# ---- usage: 2
expect 0 "--batch-size" --help
expect 2 'did you mean "--epochs"?' --epoch 3
expect 2 'did you mean "--seed"?' --sed=3
expect 2 'there is no --xyzzy' --xyzzy
! grep -q "did you mean" out.txt || { echo "--xyzzy is like no flag, but one is guessed"; failures=$((failures + 1)); }
expect 2 'stands alone' run.json
expect 2 "--epochs" --epochs
expect 2 "evaluate was given" --evaluate=3
expect 2 "--lr" --lr 0.1 --lr 0.2
expect 2 "--evaluate" --evaluate --evaluate
for bad in abc nan inf 1e999 0x1p-3 0,1 0 -0.1 101 "" " 1" 1x; do expect 2 "a number above 0 up to 100" --lr "$bad"; done
for bad in 3.5 1e3 99999999999 "" 0 -1 +3 0x10 abc; do expect 2 "a whole number from 1 to 10000" --epochs "$bad"; done
for bad in -1 18446744073709551616 1.0; do expect 2 "a whole number from 0 to 18446744073709551615" --seed "$bad"; done
expect 2 "a whole number from 2 to 60000" --batch-size 1
expect 2 "a whole number from 1 to 1024" --threads 0
expect 2 "--batch-size 511 --epochs 1: " --batch-size 511 --epochs 1
expect 2 '"vgg" is not one of bn, small, resnet' --model vgg

# ---- files: 1
expect 1 "there is no saved run missing.json" --resume missing.json
expect 1 "train one first: examples/run fashion_mnist --save missing.json" --resume missing.json
expect 1 "there is no saved run fashion_mnist.json" --evaluate
expect 1 "train one first: examples/run fashion_mnist" --predict 3
expect 1 "/nowhere (given by --data)" --data /nowhere
expect 1 "--data names the folder of the four IDX files; without it" --data /nowhere
expect 1 "apt-get install dataset-fashion-mnist" --data /nowhere
expect 1 "no-such-folder" --model small --epochs 1 --save no-such-folder/run.json
echo '{}' >empty.json
expect 1 "empty.json" --resume empty.json
[[ ! -e fashion_mnist.json ]] || { echo "a refused command left a file"; failures=$((failures + 1)); }

# ---- a run, and what may be said about it afterwards
expect 0 "test accuracy" --model small --epochs 2 --seed 18446744073709551615 --save run.json --json result.json
for key in test_accuracy epochs train_seconds images_per_second peak_rss_bytes parameters; do
  grep -q "\"$key\": [0-9]" result.json || { echo "result.json has no $key"; failures=$((failures + 1)); }
done
expect 0 "nothing to do" --resume run.json
expect 0 "nothing to do" --resume run.json --epochs 1
expect 0 "nothing to do" --resume run.json --json finished.json
accuracy=$(grep '"test_accuracy"' result.json)
grep -qF -- "$accuracy" finished.json || { echo "finished.json: not $accuracy"; failures=$((failures + 1)); }
expect 2 "--lr 0.7, the run was begun with" --resume run.json --lr 0.7
expect 2 "--model bn, the run was begun with small" --resume run.json --model bn
expect 2 "--epochs 3, the run was begun with 2" --resume run.json --epochs 3
expect 2 "--validation, the run was begun without" --resume run.json --validation
expect 0 "test accuracy" --resume run.json --evaluate --model small --seed 18446744073709551615
expect 0 "in truth: " --resume run.json --predict 3
expect 2 "numbered 0 to 255" --resume run.json --predict 256

# ---- signals: the step ends, the run is saved, and what was interrupted ends as if it had not been
interrupted() {  # NAME CODE: a run of 8 epochs, sent signal NAME after the first, exits with CODE
  rm -f out.txt  # or the wait below would see the last run's lines
  "$program" --model small --epochs 8 --threads 1 --save stopped.json >out.txt 2>&1 &
  local child=$!
  until grep -qs "epoch 1/8  test" out.txt || ! kill -0 $child 2>/dev/null; do sleep 0.01; done
  kill -s "$1" $child
  wait $child
  local got=$?
  if [[ $got != "$2" ]] || ! grep -q "saved stopped.json, continue with --resume stopped.json" out.txt; then
    echo "after $1: expected exit $2 and a saved run, got $got and:"
    tail -n 3 out.txt
    failures=$((failures + 1))
  fi
}
interrupted TERM 143
# A background job of a script ignores SIGINT from the start, so SIGINT is sent by a process group of its own.
set -m
interrupted INT 130
set +m
expect 2 "--epochs 7, the run was begun with 8" --resume stopped.json --epochs 7

# ---- what was stopped goes on bit for bit: the same file in the end as without a stop
expect 0 "test accuracy" --threads 1 --resume stopped.json --save resumed.json
expect 0 "test accuracy" --threads 1 --model small --epochs 8 --save whole.json
cmp whole.json resumed.json || failures=$((failures + 1))

# ---- a place to save that goes away: training goes on, the program says so and exits with 1
mkdir gone
rm -f out.txt
"$program" --model small --epochs 8 --threads 1 --save gone/run.json >out.txt 2>&1 &
child=$!
until grep -qs "epoch 1/8  test" out.txt || ! kill -0 $child 2>/dev/null; do sleep 0.01; done
mv gone elsewhere
wait $child
got=$?
if [[ $got != 1 ]] || ! grep -q "epoch 8/8  test" out.txt || ! grep -q "NOT saved: gone/run.json" out.txt; then
  echo "with the folder gone: expected exit 1 after all epochs, got $got and:"
  tail -n 3 out.txt
  failures=$((failures + 1))
fi

exit $((failures > 0))
