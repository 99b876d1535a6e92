#!/usr/bin/env bash
# SIGKILL before every system call of a save (P8), by strace; also beside a damaged file, whose .prev is the last whole
# generation.
# needs: ember_test_saver
source "$EMBER_SOURCE_DIR/tests/support/saveFaults.sh"

kills=0
# killed STATE: kills such saves; STATE is what may be there then, and behind the next save
killed() {
  local call n state before=$kills
  traced
  cp log.txt clean.txt
  while read -r call n; do  # each call of a save, and which of its name it is
    { traced -e "inject=$call:signal=KILL:when=$n"; } 2>/dev/null  # the shell would tell of each
    [[ $code == 137 ]] || wrong "$call $n: not killed, exit $code"
    state=$("$saver" after f/run.json 7 | sed 's/broken: .* is cut off/broken/')
    [[ $state =~ $1 ]] || wrong "killed before $call $n: $state"
    kills=$((kills + 1))
  done < <(awk -F'(' '
    /the save begins/ { on = 1 }
    { count[$1]++; if (on) print $1, count[$1] }
    /the save has ended/ { exit }' clean.txt)
  ((kills > before + 40)) || wrong "a save has only $((kills - before)) system calls"
}
killed '^(5 4|6 [45]):.*'$'\n''7 [56]: run\.json run\.json\.prev$'
truncate -s -1000 template/run.json
killed '^(broken 4|6 (4|broken)):.*'$'\n''7 (broken|6): run\.json run\.json\.prev$'
echo "kills survived: $((kills - failures))"
exit $((failures > 0))
