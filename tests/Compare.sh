#!/usr/bin/env bash
# What tests/bench/compare concludes, from programs that only pretend to measure: verdicts, weak baselines, losses that
# differ, programs that are missing or die.
# needs: nothing
set -euo pipefail
fail() { echo "FAILED: $*"; exit 1; }
expect() { [[ $2 == *"$3"* ]] || fail "$1 says:"$'\n'"$2"$'\n'"without: $3"; }

"$EMBER_SOURCE_DIR/third_party/build" bench_workloads_driver
driver=$EMBER_BUILD_DIR/bench/workloads/driver
programs=$(mktemp -d "$PWD/programs.XXXXXX")
trap 'rm -rf "$programs"' EXIT

# pretend NAME MS [LOSS] [COMMAND ANSWER]: a program of that step time and loss (2), which answers one command otherwise
pretend() {
  cat >"$programs/$1" <<PROGRAM
#!/usr/bin/env bash
ms=$2
[[ " \$* " == *" channels_last "* ]] && ms=\$((ms - 1))
echo first 0.$2
while read -r command number; do
  case \$command in
    ${4-none}) ${5-} ;;
    run) echo "ms \$ms 10 \$((ms / 2))" ;;
    losses) printf losses; for ((i = 0; i < number; i++)); do printf ' ${3-2}'; done; echo ;;
    peak) echo "peak $2000000" ;;
    blas) echo "blas none" ;;
    quit) exit ;;
  esac
done
PROGRAM
  chmod +x "$programs/$1"
}
compare() { "$driver" "$programs" --rounds 1 --seconds 0.01 --only training "$@" 2>&1; }

pretend ember 100; pretend libtorch 251; pretend floor 100  # libtorch: 250 in its better memory format
out=$(compare --json report.json W5)
expect "compare" "$out" "2.50 of 4.13"
expect "compare" "$out" "no verdict: the floor is too slow: 2.50x libtorch, it has been 4.13x"
report=$(<report.json)
for line in '"ember_ms": 100.0' '"libtorch_best_ms": 250.0' '"libtorch_installed_ms": 250.0' '"floor_ms": 100.0' \
    '"ember_peak_bytes": 100000000' '"libtorch_peak_bytes": 251000000' '"loss_max_rel_diff": 0.0' \
    '"libtorch_best_layout": "channels_last"' '"ember_over_libtorch_best": 2.5'; do
  expect "the JSON" "$report" "$line"
done

pretend libtorch 213; pretend ember 200
expect "a slow ember" "$(compare W6)" "below: 1.06 times libtorch (target 2.00), 0.50 of the floor (target 0.95), "
pretend libtorch 300
expect "a slow libtorch" "$(compare W6)" "no verdict: libtorch is too slow: the floor is 3.00x of it, it has been 2.13x"

pretend libtorch 213; pretend ember 100
expect "the fastest step" "$(compare --fastest --no-check W6)" "106.0  2.12x"

pretend ember 100 2.0003
expect "other losses" "$(compare W6)" "no verdict: ember losses differ from libtorch_best's by 1.5e-04 (allowed 1e-04)"
expect "W2's tolerance" "$(compare W2)" "losses in f64 differ by 1.5e-04 (allowed 1e-08)"
pretend ember 100 nan
expect "no numbers" "$(compare W6)" "ember: no losses, or no numbers"

pretend ember 100 2 run 'kill -SEGV $$'
expect "a crash" "$(compare W6)" "died of signal 11"
pretend ember 100 2 run 'echo error [conv2d] no memory'
expect "an error" "$(compare W6)" "error [conv2d] no memory"

pretend ember 100
expect "W3's memory" "$(compare W3)" "peak without Winograd: 100 MB"
rm "$programs/floor"
out=$(compare W6)
expect "without the floor" "$out" "raw oneDNN is not compared"
expect "without the floor" "$out" "reached, but without the floor"
rm "$programs/libtorch"
out=$(compare W6)
expect "without both" "$out" "libtorch is not compared"
expect "without both" "$out" "no verdict: nothing to compare with"

status=0
out=$(compare W7) || status=$?
((status == 2)) || fail "an unknown workload: exit status $status"
expect "an unknown workload" "$out" '"W7" is no option and none of W1, W2, W3, W4, W5, W6'
status=0
out=$(compare --json no/such/folder/report.json) || status=$?
((status == 2)) || fail "a file that cannot be written: exit status $status"
expect "tests/bench/compare --help" "$("$EMBER_SOURCE_DIR/tests/bench/compare" --help)" "--json FILE"
