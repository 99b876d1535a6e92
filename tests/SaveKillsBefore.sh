#!/usr/bin/env bash
# SIGKILL before every system call of a save (P8), by strace.
# needs: ember_test_saver
source "$EMBER_SOURCE_DIR/tests/support/saveFaults.sh"

kills=0
while read -r call n; do  # each call of a save, and which of its name it is
  { traced -e "inject=$call:signal=KILL:when=$n"; } 2>/dev/null  # the shell would tell of each
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
exit $((failures > 0))
