#!/usr/bin/env bash
# Which files a run of examples/fashion_mnist locks, reads and writes: all different, and none that is another run's.
# needs: example_fashion_mnist ember_test_saver
set -uo pipefail
source "$EMBER_SOURCE_DIR/tests/support/program.sh" fashion_mnist

small=(--model small --threads 1 --batch-size 128)
inode() { stat -c %i "$@"; }

# ---- the files that one command writes are different ones, by whatever path; --overwrite changes nothing (C8)
ln -s run.json link.json
mkdir folder
for flag in --save-best --json --profile; do
  for again in run.json ./run.json folder/../run.json link.json "$PWD/run.json"; do
    expect 2 "--save run.json and $flag $again are one file; give one of them another name" \
      "${small[@]}" --save run.json $flag "$again" --overwrite
  done
  expect 2 "$flag run.json.prev is where --save run.json keeps the run before" "${small[@]}" --save run.json $flag run.json.prev
  expect 2 "$flag .lock is the file that locks its folder" "${small[@]}" --save run.json $flag .lock
done
expect 2 "--save .lock is the file that locks its folder" "${small[@]}" --save .lock
expect 2 "--json a.json and --profile a.json are one file" "${small[@]}" --json a.json --profile a.json
expect 2 "--save b.json.prev is where --save-best b.json keeps the run before" "${small[@]}" --save b.json.prev --save-best b.json
expect 2 "--json b.json.prev is where --save-best b.json keeps the run before" "${small[@]}" --save-best b.json --json b.json.prev
expect 2 "--init-from a.json and --json a.json are one file" "${small[@]}" --init-from a.json --json a.json
[[ $(ls -A | tr '\n' ' ') == "folder link.json out.txt " ]] || fail "a refused command left $(ls -A)"

# ---- nor is the run that is only looked at written over
expect 0 "best: epoch " "${small[@]}" --epochs 3 --save run.json --save-best best.json
cp run.json whole.json
cp best.json best.copy
for flag in --json --profile; do
  expect 2 "--resume run.json and $flag run.json are one file" --evaluate --resume run.json $flag run.json --overwrite
  expect 2 "best.json exists and was not written by this program" --evaluate --resume run.json $flag best.json
done
expect 0 '"traceEvents"' --evaluate --threads 1 --resume run.json --json /dev/stdout --profile /dev/stdout
grep -q '"images_per_second"' out.txt || fail "no --json on the standard output: $(<out.txt)"
cmp run.json whole.json || fail "a run that was only looked at has changed"

# ---- the best epoch goes where the command line says, never where a run file says
before=$(inode best.json)
cp run.json.prev mid.json  # behind epoch 2 of 3
mkdir fork
for save in mid.json other.json fork/run.json; do
  cp run.json.prev mid.json
  expect 0 "mid.json kept its best epoch in best.json, which stays as it is; --save-best best.json goes on with that" \
    --threads 1 --resume mid.json --save $save
  ! grep -q '"file"' $save || fail "$save names a file of its best epoch, and keeps none"
done
cp run.json.prev mid.json
expect 2 "best.json holds a run" --threads 1 --resume mid.json --save another.json --save-best best.json
[[ $(inode best.json) == "$before" ]] && cmp best.json best.copy || fail "another run wrote best.json"
# A run that goes on in its file goes on in the file of its best epoch, if told so.
cp run.json.prev run.json
expect 0 "best: epoch " --threads 1 --resume run.json --save-best best.json
cmp run.json whole.json || fail "resumed with its best epoch it is another run"
expect 0 "test accuracy" --evaluate --resume best.json
# Under its name there may be another run's by now.
expect 0 "best: epoch " "${small[@]}" --seed 2 --epochs 1 --save seed2.json --save-best best2.json
mv best2.json best.json
before=$(inode best.json)
cp run.json.prev run.json
expect 2 "best.json holds a run" --threads 1 --resume run.json --save-best best.json
head -c 1000 best.copy >best.json
expect 2 "best.json exists and is no run" --threads 1 --resume run.json --save-best best.json
expect 0 "best: epoch " --threads 1 --resume run.json --save-best best3.json
[[ -s best3.json ]] || fail "the best epoch is not kept in a new file"

# ---- the folder is locked before a run is read: of two trainers that resume, the second reads nothing (P15)
mkdir held
: >held/run.json  # whoever reads it says that it is empty
coproc holder { exec "$EMBER_BUILD_DIR/tests/ember_test_saver" run held/other.json 1; }
holder_process=$holder_PID  # bash forgets that name as soon as the process is gone
read -r answer <&"${holder[0]}"
for resume in held/run.json auto; do
  expect 1 "is in use by process $holder_process on host $(uname -n)" "${small[@]}" --save held/run.json --resume $resume
  ! grep -q "is empty" out.txt || fail "--resume $resume reads before it locks: $(<out.txt)"
done
expect 1 "is empty" --evaluate --resume held/run.json  # who only looks needs no lock
kill -s KILL "$holder_process"
wait "$holder_process" 2>/dev/null

# ---- what a killed save left whole is told, and taken only by hand
mkdir killed
cp whole.json killed/.run.json.1.2.3.tmp
auto=("${small[@]}" --epochs 3 --save killed/run.json --resume auto)
expect 0 "a new one begins" "${auto[@]}"
told="killed/.run.json.1.2.3.tmp is whole, step 12, left by a save that was killed"
grep -q "$told: the next save removes it; rename killed/.run.json.1.2.3.tmp to killed/run.json to go on from it" out.txt ||
  fail "not told what a killed save left: $(<out.txt)"
[[ $(ls -A killed | tr '\n' ' ') == "run.json run.json.prev " ]] || fail "left behind: $(ls -A killed)"
cp whole.json killed/.run.json.1.2.3.tmp
: >killed/run.json
: >killed/run.json.prev
expect 1 "killed/.run.json.1.2.3.tmp  whole, step 12, left by a save that was killed" "${auto[@]}"
mv killed/.run.json.1.2.3.tmp killed/run.json
expect 0 "nothing to do" "${auto[@]}"

# ---- beside a damaged file the run goes on from .prev, which stays until a whole one stands there
mkdir damaged
plain=("${small[@]}" --epochs 3 --save damaged/run.json)
expect 0 "test accuracy" "${plain[@]}"
mv damaged/run.json whole.json
head -c 1000 whole.json >damaged/run.json
expect 0 "damaged/run.json.prev, step 8, taken" "${plain[@]}" --resume auto
cmp damaged/run.json whole.json || fail "resumed beside a damaged file it is another run"

# ---- so it does where only the net of the program tells that the newest cannot be used
cp whole.json spoilt.json
python3 - spoilt.json <<'END'
import json, sys
run = json.load(open(sys.argv[1]))
run["self_test"]["outputs"][0] += 1
del run["end"]["header_crc32"]
json.dump(run, open(sys.argv[1], "w"))
END
expect 0 "test accuracy" "${small[@]}" --epochs 3 --save damaged/other.json
mv damaged/other.json.prev damaged/run.json.prev
cp spoilt.json damaged/run.json
expect 0 "damaged/run.json cannot be used: " "${plain[@]}" --resume auto
grep -q "damaged/run.json.prev taken" out.txt || fail "not told which generation it is: $(<out.txt)"
cmp damaged/run.json whole.json || fail "resumed beside a refused file it is another run"
cp spoilt.json damaged/run.json
expect 1 "does not compute what it computed" "${plain[@]}" --resume damaged/run.json

# ---- another run's file is no other generation of this one
"$program" "${small[@]}" --seed 2 --epochs 2 --save damaged/foreign.json >out.txt 2>&1 || fail "$(<out.txt)"
cp damaged/foreign.json damaged/run.json.prev
cp spoilt.json damaged/run.json
expect 1 "does not compute what it computed" "${plain[@]}" --resume auto
cmp spoilt.json damaged/run.json || fail "a run of another seed replaced it"

# ---- a run that goes on from X.prev replaces no other run, net or file at X
for other in seed2.json "$EMBER_SOURCE_DIR/README.md"; do
  mkdir beside
  cp run.json.prev beside/run.json.prev
  cp "$other" beside/run.json
  expect 2 "beside/run.json " --threads 1 --save beside/run.json --resume beside/run.json.prev
  cmp "$other" beside/run.json || fail "a run resumed from its .prev replaced $other"
  expect 0 "test accuracy" --threads 1 --save beside/run.json --resume beside/run.json.prev --overwrite
  rm -r beside
done

# ---- what a file holds is no command to a terminal (J30); a name may be longer than the file system takes
python3 - whole.json terminal.json <<'END'
import json, sys
run = json.load(open(sys.argv[1]))
del run["end"]["header_crc32"]
run["train"]["data"]["crc32"] = "\x1b[31mred\x9b31m" + "x" * 100000
json.dump(run, open(sys.argv[2], "w"))
END
expect 1 "red" --threads 1 --resume terminal.json --save terminal.json
! LC_ALL=C grep -qP '\x1b|\xc2\x9b' out.txt || fail "commands to a terminal: $(cat -v out.txt)"
(($(wc -c <out.txt) < 20000)) || fail "an error of $(wc -c <out.txt) bytes"
expect 1 "File name too long" "${small[@]}" --epochs 1 --save "$(printf 'n%.0s' {1..300})"
! grep -q "filesystem error" out.txt || fail "$(<out.txt)"

# ---- a run that is saved, but whose folder cannot be flushed to the disk, is saved (P6)
if strace -o /dev/null -e inject=getppid:error=EPERM true 2>skipped.txt; then
  ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -o /dev/null -e trace=fsync \
    -e inject=fsync:error=EIO:when=2+2 "$program" "${small[@]}" --epochs 2 --save flush.json --on-save-error stop >out.txt 2>&1
  code=$?
  [[ $code == 0 ]] && grep -q 'saved, but "flush.json" may not survive a loss of power' out.txt ||
    fail "a folder that cannot be flushed: exit $code and $(<out.txt)"
else
  echo "SKIPPED (P6): no strace, or it may not trace here: $(head -n 1 skipped.txt)"
fi

finish
