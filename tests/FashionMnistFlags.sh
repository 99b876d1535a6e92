#!/usr/bin/env bash
# The command line of examples/fashion_mnist: what it refuses, with which exit code and word, and what it goes on with.
# (C1) to (C10) number the bad command lines that it must stand. FashionMnistSignals.sh has signals and disks.
# needs: example_fashion_mnist
set -uo pipefail
source "$EMBER_SOURCE_DIR/tests/support/program.sh" fashion_mnist

# ---- usage: 2
expect 0 "--batch-size" --help
# (C1) unknown flags
expect 2 'did you mean "--epochs"?' --epoch 3
expect 2 'did you mean "--seed"?' --sed=3
expect 2 'there is no --xyzzy' --xyzzy
! grep -q "did you mean" out.txt || fail "--xyzzy is like no flag, but one is guessed"
expect 2 'stands alone' run.json
# (C2) missing values, values for switches, repeated flags
expect 2 "--epochs" --epochs
expect 2 "evaluate was given" --evaluate=3
expect 2 "--lr" --lr 0.1 --lr 0.2
expect 2 "--evaluate" --evaluate --evaluate
for file in --save --save-best --resume --init-from --json --profile; do
  expect 2 "$file: the name of the file is empty" $file ""
done
expect 2 '"never" is not stop or continue' --on-save-error never
expect 2 "--resume excludes --init-from" --init-from a.json --resume b.json
expect 2 "--override requires --resume" --override
# (C3) numbers
for bad in abc nan inf 1e999 0x1p-3 0,1 0 -0.1 101 "" " 1" 1x; do expect 2 "a number above 0 up to 100" --lr "$bad"; done
for bad in 3.5 1e3 99999999999 "" 0 -1 +3 0x10 abc; do expect 2 "a whole number from 1 to 10000" --epochs "$bad"; done
expect 2 "a whole number from 2 to 60000" --batch-size 1
expect 2 "a whole number from 1 to 1000000000" --save-every 0
expect 2 "a whole number from 0 to 10000" --patience -1
expect 2 "--batch-size 511 --epochs 1: " --batch-size 511 --epochs 1
expect 2 '"vgg" is not one of bn, small, resnet' --model vgg
# (C4) seeds
for bad in -1 18446744073709551616 1.0; do expect 2 "a whole number from 0 to 18446744073709551615" --seed "$bad"; done
# (C5) threads
expect 2 "a whole number from 1 to 1024" --threads 0

# ---- files: 1
# (C6) a run that is not there is never begun anew in silence
expect 1 "there is no saved run missing.json" --resume missing.json
expect 1 "train one first: examples/run fashion_mnist --save missing.json" --resume missing.json
expect 1 "there is no saved run fashion_mnist.json" --evaluate
expect 1 "train one first: examples/run fashion_mnist" --predict 3
expect 1 "/nowhere (given by --data)" --data /nowhere
expect 1 "--data names the folder of the four IDX files; without it" --data /nowhere
expect 1 "apt-get install dataset-fashion-mnist" --data /nowhere
# (P13) a place where nothing can be saved is told before the first epoch
expect 1 "no-such-folder" --model small --epochs 1 --save no-such-folder/run.json
! grep -q "pictures to train with" out.txt || fail "it began to train before it looked where to save"
echo '{}' >empty.json
expect 1 "empty.json" --resume empty.json
expect 1 "no-such.json" --model small --epochs 1 --init-from no-such.json
[[ ! -e fashion_mnist.json ]] || fail "a refused command left a file"

# ---- a run, and what may be said about it afterwards
small=(--model small --threads 1 --batch-size 128)
# (C5) more threads than CPUs are warned of
many=$(($(env -u OMP_NUM_THREADS nproc) + 1))  # nproc believes that variable
expect 0 "ember: warning: setThreads($many): only " --model small --batch-size 128 --epochs 1 --threads $many --save many.json
expect 0 "test accuracy" "${small[@]}" --epochs 2 --seed 18446744073709551615 --save run.json --json result.json
for key in test_accuracy epochs train_seconds images_per_second peak_rss_bytes parameters; do
  grep -q "\"$key\": [0-9]" result.json || fail "result.json has no $key"
done
# (C10) fewer epochs than are done, or a finished run: nothing to do is no error
cp run.json before.json
expect 0 "nothing to do" --resume run.json
expect 0 "nothing to do" --resume run.json --epochs 1
expect 0 "nothing to do" --resume run.json --json finished.json
accuracy=$(grep '"test_accuracy"' result.json)
grep -qF -- "$accuracy" finished.json || fail "finished.json: not $accuracy"
# (C7) contradictions
expect 2 "--lr 0.7, the run was begun with" --resume run.json --lr 0.7
expect 2 "--model bn, the run was begun with small" --resume run.json --model bn
expect 2 "--epochs 3, the run was begun with 2" --resume run.json --epochs 3
expect 2 "--batch-size 32, the run was begun with 128" --resume run.json --batch-size 32
expect 2 "--validation, the run was begun without" --resume run.json --validation
expect 2 "--override" --resume run.json --lr 0.7 --seed 3
grep -q -- "--lr 0.7, the run" out.txt && grep -q -- "--seed 3, the run was begun with 18446744073709551615" out.txt ||
  fail "not both conflicts are listed: $(<out.txt)"
expect 2 "another net cannot go on with a run" --resume run.json --model bn --override
cmp run.json before.json || fail "a refused command changed the run"
expect 0 "test accuracy" --resume run.json --evaluate --model small --seed 18446744073709551615
expect 0 "in truth: " --resume run.json --predict 3
expect 2 "numbered 0 to 255" --resume run.json --predict 256
# overridden: a third epoch, at another rate and with other batches
expect 0 "epoch 3/3  test accuracy" --threads 1 --resume run.json --override --epochs 3 --lr 0.01 --batch-size 64 --save other.json
grep -q "what is here holds from now on" out.txt || fail "an override is not told: $(<out.txt)"
expect 0 "nothing to do" --resume other.json --epochs 3 --lr 0.01 --batch-size 64

# ---- (C8) what is there is not replaced unless it is the run itself
expect 2 "run.json holds a run at step 8; --resume run.json continues it, --overwrite replaces it" "${small[@]}" --save run.json
expect 2 "other.json holds a run" --resume before.json --epochs 9 --override --save other.json
echo "my notes" >notes.txt
expect 2 "notes.txt exists and is no run" "${small[@]}" --save notes.txt
expect 2 "notes.txt exists and was not written by this program" "${small[@]}" --save new.json --json notes.txt
expect 2 "notes.txt exists and was not written by this program" "${small[@]}" --save new.json --profile notes.txt
expect 2 "notes.txt exists and is no run" "${small[@]}" --save new.json --save-best notes.txt
[[ $(<notes.txt) == "my notes" && ! -e new.json ]] || fail "a refused command wrote"
cmp run.json before.json || fail "a refused command changed the run"
cp run.json lonely.json.prev
expect 2 "lonely.json.prev holds a run" "${small[@]}" --save lonely.json
expect 0 "test accuracy" "${small[@]}" --epochs 1 --save many.json --json result.json --overwrite

# ---- --resume auto: the newest whole generation, and why
auto=("${small[@]}" --epochs 2 --save auto.json --resume auto)
expect 0 "there is no run to resume at auto.json or auto.json.prev: a new one begins" "${auto[@]}"
cp auto.json whole.json
expect 0 "auto.json, step 8, taken; auto.json.prev is at step 4" "${auto[@]}"
truncate -s -1000 auto.json
cp auto.json.prev half.json
expect 0 "auto.json.prev, step 4, taken" "${auto[@]}"
grep -q 'auto.json cannot be used: .* is cut off' out.txt || fail "not said why auto.json was not taken: $(<out.txt)"
cmp auto.json whole.json || fail "resumed from .prev by auto it is another run"
cp half.json named.json.prev
expect 0 "epoch 2/2" --threads 1 --resume named.json.prev
cmp named.json whole.json || fail "resumed from .prev by name it is another run"
: >auto.json
: >auto.json.prev
expect 1 "no run to go on from at auto.json" "${auto[@]}"
(($(grep -c "is empty" out.txt) >= 2)) || fail "not the reason of each: $(<out.txt)"

# ---- (J33) weights alone are no run, but one may begin with them
weights_alone() {
  python3 - <<'END'
import json
file = json.load(open("whole.json"))
for key in ("train", "optimizer", "scheduler"): file.pop(key)
file["tensors"] = [t for t in file["tensors"] if t["role"] in ("param", "buffer")]
file["data"] = {t["name"]: file["data"][t["name"]] for t in file["tensors"]}
file["end"] = {"tensors": len(file["tensors"]), "bytes": str(sum(t["bytes"] for t in file["tensors"]))}
json.dump(file, open("net.json", "w"))
END
  expect 1 "net.json holds a net but no run: it has no optimiser state" --resume net.json
  grep -q -- "--init-from net.json begins a new run" out.txt || fail "--init-from is not named: $(<out.txt)"
  expect 0 "test accuracy" "${small[@]}" --epochs 1 --init-from net.json --save from.json
  expect 0 "test accuracy" "${small[@]}" --epochs 1 --init-from whole.json --save from2.json
  cmp from.json from2.json || fail "the weights of a run are not those of its net"
  expect 1 "does not fit the net" --model bn --threads 1 --epochs 1 --init-from net.json --save from3.json
}
if command -v python3 >/dev/null; then
  weights_alone
else
  echo "SKIPPED (J33): no python3 to take the weights out of a run"
fi

# ---- the best epoch, and patience, also across a resume
expect 0 "best: epoch " "${small[@]}" --epochs 3 --save-best best.json --save long.json --patience 3
expect 0 "test accuracy" --evaluate --resume best.json
grep -q '"file": "best.json"' long.json || fail "the run does not know the file of its best epoch"
# A rate so small that no epoch is better than the first.
expect 0 "the run ends early" "${small[@]}" --epochs 9 --lr 1e-30 --patience 2 --save early.json
grep -q "2 epochs in a row were no better than epoch 1" out.txt || fail "not said why it ended: $(<out.txt)"
expect 0 "the last of them no better; nothing to do" --resume early.json

finish
