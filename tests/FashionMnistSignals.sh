#!/usr/bin/env bash
# What signals, full and vanishing places and a second trainer do to a run of examples/fashion_mnist; (C9), (P2), (P9) to
# (P11), (P14), (P15) number the faults that it must stand.
# needs: example_fashion_mnist
set -uo pipefail
source "$EMBER_SOURCE_DIR/tests/support/program.sh" fashion_mnist

small=(--model small --threads 1 --epochs 8)

# pause_at TEXT: stops $child once it has said TEXT
pause_at() {
  until grep -qs "$1" out.txt || ! kill -0 $child 2>/dev/null; do sleep 0.01; done
  kill -s STOP $child
}
# begin ARGS...: a run in the background, $child, that waits behind its first epoch until go_on
begin() {
  rm -f out.txt  # or pause_at would see the last run's lines
  "$program" "${small[@]}" "$@" >out.txt 2>&1 &
  child=$!
  pause_at "epoch 1/8  test"
}
go_on() { kill -s CONT $child; }
# ended CODE TEXT WHAT: how the run ends
ended() {
  wait -f $child
  local got=$?
  if [[ $got != "$1" ]] || ! grep -qF -- "$2" out.txt; then
    fail "$3: expected exit $1 and \"$2\", got $got and:"
    tail -n 5 out.txt
  fi
}

expect 0 "test accuracy" "${small[@]}" --save whole.json

# ---- (P9), (P11) the step ends, the run is saved, and what was interrupted goes on as if it had not been
# A background job of a script ignores SIGINT from the start, so signals are sent to process groups of their own.
set -m
for signal in INT:130 TERM:143 HUP:129; do
  name=${signal%:*} file=stopped_${signal%:*}.json
  begin --save "$file"
  kill -s "$name" $child
  go_on
  ended "${signal#*:}" "saved $file, continue with --resume $file" "SIG$name"
  expect 0 "test accuracy" --threads 1 --resume "$file"
  cmp whole.json "$file" || fail "the run that SIG$name stopped went on as another"
done

begin --save unfinished.json
kill -s TERM $child
go_on
ended 143 "saved unfinished.json" "SIGTERM"
expect 2 "--epochs 7, the run was begun with 8" --resume unfinished.json --epochs 7

# A signal may come during a save, which takes most of the time here: it is whole all the same.
begin --save-every 1 --save often.json
go_on
kill -s INT $child
ended 130 "saved often.json" "SIGINT among saves"
expect 0 "test accuracy" --threads 1 --resume often.json
cmp whole.json often.json || fail "the run that was stopped among its saves went on as another"

# ---- (P10) a second signal ends it at once, and a save in progress is whole or has not been
for pause in 0 0.001 0.003 0.01 0.02; do
  rm -f twice.json twice.json.prev
  begin --save-every 1 --save twice.json
  kill -s INT $child
  go_on
  sleep $pause
  kill -s INT $child 2>/dev/null
  wait -f $child
  got=$?
  [[ $got == 130 ]] || fail "two SIGINT, $pause s apart: exit $got"  # ended by the signal, or by itself in the meantime
  expect 0 "test accuracy" --threads 1 --save twice.json --resume auto
  cmp whole.json twice.json || fail "after two SIGINT, $pause s apart, it went on as another run"
done
set +m

# ---- (P11) what is ignored stays ignored: nohup, and SIGINT in the background of a script
begin --save nohup.json --resume auto
kill -s INT $child
go_on
ended 0 "test accuracy" "an ignored SIGINT"
cmp whole.json nohup.json || fail "an ignored SIGINT changed the run"
rm -f out.txt
(trap '' HUP; exec "$program" "${small[@]}" --save hangup.json >out.txt 2>&1) &
child=$!
pause_at "epoch 1/8  test"
kill -s HUP $child
go_on
ended 0 "test accuracy" "an ignored SIGHUP"

# ---- (P14), (P2) a place to save that goes away: training goes on, the next interval tries again, the exit code says it
mkdir gone
begin --save gone/run.json
mv gone elsewhere
go_on
ended 1 "NOT saved: gone/run.json" "the folder gone"
grep -q "epoch 8/8  test" out.txt || fail "with the folder gone it did not train on"
expect 0 "test accuracy" --threads 1 --resume elsewhere/run.json  # what was saved before is whole
cmp whole.json elsewhere/run.json || fail "the run in the folder that was moved went on as another"

mkdir back
begin --save-every 1 --save back/run.json
mv back away
go_on
pause_at "not saved"
mv away back
go_on
ended 1 "saves before failed" "the folder gone for a while"
cmp whole.json back/run.json || fail "with the folder back the run was not saved"

mkdir left
begin --save left/run.json --on-save-error stop
mv left right
go_on
ended 1 "not saved" "the folder gone, --on-save-error stop"
! grep -q "epoch 8/8" out.txt || fail "--on-save-error stop: it trained on"

# ---- (P15) two trainers in one folder: the second is told who the first is, and changes nothing
begin --save first.json
expect 1 "is in use by process $child on host $(uname -n)" "${small[@]}" --save second.json
expect 1 "is in use by process $child on host $(uname -n)" --resume first.json
[[ ! -e second.json ]] || fail "the second trainer saved"
kill -s KILL $child
wait -f $child 2>/dev/null
expect 0 "test accuracy" "${small[@]}" --save second.json  # a killed trainer keeps nothing locked
cmp whole.json second.json || fail "the second trainer's run is another"

# ---- (C9) standard output that is closed, full or has no reader: training and saves go on, one warning, exit 1
warned() {  # CODE FILE: after a run whose standard error is err.txt
  [[ $1 == 1 ]] || fail "$2: exit $1 instead of 1"
  (($(grep -c "cannot write to standard output" err.txt) == 1)) || fail "$2: not one warning: $(<err.txt)"
  cmp whole.json "$2" || fail "$2: not the run that it should be"
}
"$program" "${small[@]}" --save closed.json >&- 2>err.txt
warned $? closed.json
"$program" "${small[@]}" --save full.json >/dev/full 2>err.txt
warned $? full.json
"$program" "${small[@]}" --save reader.json 2>err.txt | true
warned "${PIPESTATUS[0]}" reader.json
"$program" "${small[@]}" --save silent.json >&- 2>&- <&-
[[ $? == 1 ]] || fail "with all streams closed: not exit 1"
cmp whole.json silent.json || fail "with all streams closed the run is another"
"$program" --help >/dev/full 2>err.txt
[[ $? == 1 ]] || fail "--help into a full device: not exit 1"

finish
