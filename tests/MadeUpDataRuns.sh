#!/usr/bin/env bash
# Runs of examples/signals_1d and examples/volumes_3d that are resumed: what the command line may say then (C7, C10).
# needs: example_signals_1d example_volumes_3d
set -uo pipefail
code=0
for name in signals_1d volumes_3d; do (
  source "$EMBER_SOURCE_DIR/tests/support/program.sh" $name
  all=(--samples 16 --epochs 2 --seed 7)
  expect 0 "loaded from file" "${all[@]}" --threads 1 --save run.json
  cp run.json whole.json

  # ---- (C10) a finished run, or fewer epochs than are done
  expect 0 "run.json is trained for 2 of 2 epochs already; nothing to do" --resume run.json
  expect 0 "nothing to do" --resume run.json --epochs 1
  expect 0 "nothing to do" --resume run.json "${all[@]}"
  cp run.json.prev half.json
  expect 0 "half.json is trained for 1 of 2 epochs already; nothing to do" --resume half.json --epochs 1

  # ---- (C7) contradictions, all of them
  expect 2 "the command line contradicts half.json:" --resume half.json --epochs 3 --samples 24 --seed 3
  for conflict in "--epochs 3, the run was begun with 2" "--samples 24, the run was begun with 16" "--seed 3, the run was begun with 7"; do
    grep -qF -- "$conflict" out.txt || fail "not listed: $conflict in $(<out.txt)"
  done
  grep -q "leave that out, or go on under it all the same with --override" out.txt || fail "--override is not told: $(<out.txt)"
  expect 2 "--override requires --resume" --override
  cmp run.json whole.json || fail "a refused command changed the run"

  # ---- what is left out is as the run was begun
  expect 0 "loaded from file" --threads 1 --resume half.json
  cmp half.json whole.json || fail "resumed it is another run"
  expect 0 "epoch  3/3" --threads 1 --resume run.json --override --epochs 3 --save more.json
  grep -q "what is here holds from now on" out.txt || fail "an override is not told: $(<out.txt)"
  expect 0 "trained for 3 of 3 epochs" --resume more.json

  # ---- files
  expect 2 "--save x.json and --profile x.json are one file" "${all[@]}" --save x.json --profile x.json
  expect 2 "whole.json holds a run at step 4" "${all[@]}" --save whole.json
  [[ $(ls -A | tr '\n' ' ') == "half.json half.json.prev more.json out.txt run.json run.json.prev whole.json " ]] ||
    fail "there is $(ls -A)"
  finish
) || code=1; done
exit $code
