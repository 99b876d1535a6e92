#!/usr/bin/env bash
# SIGKILL before and after every system call of a save (P8): by strace before each, and by a tracer of our own before and
# after each, in five situations.
# needs: ember_test_saver
source "$EMBER_SOURCE_DIR/tests/support/saveFaults.sh"

kills=0
while read -r call n; do  # each call of a save, and which of its name it is
  traced -e "inject=$call:signal=KILL:when=$n"
  [[ $code == 137 ]] || wrong "$call $n: not killed, exit $code"
  state=$("$saver" after f/run.json 7)
  [[ $state =~ ^(5 [45]|6 5):.*$'\n'7\ [56]:\ run\.json\ run\.json\.prev$ ]] || wrong "killed before $call $n: $state"
  kills=$((kills + 1))
done < <(awk -F'(' '
  /the save begins/ { on = 1 }
  { count[$1]++; if (on) print $1, count[$1] }
  /the save has ended/ { exit }' clean.txt)
((kills > 40)) || wrong "a save has only $kills system calls"
echo "kills survived: $((kills - failures))"

"$saver" kills "$folder/kills"
code=$?
[[ $code == 0 ]] || { ((code == 77 && failures == 0)) && exit 77; failures=$((failures + 1)); }
exit $((failures > 0))
