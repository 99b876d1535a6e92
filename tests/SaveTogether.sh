#!/usr/bin/env bash
# Several processes at one place: readers during saves (P16), two savers, two trainers in one folder (P15), what a dead
# one left (P17); and clocks that stand still or run backwards (P21), full disks (P1, P20), read-only folders (P13).
# needs: ember_test_saver
set -uo pipefail
saver=$EMBER_BUILD_DIR/tests/ember_test_saver
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
failures=0
wrong() {
  echo "$*"
  failures=$((failures + 1))
}
names() { ls -A "$1" | tr '\n' ' '; }

# ---- a reader sees a whole file, whenever it looks; two savers onto one file, one onto another beside it (P16)
mkdir busy
"$saver" save busy/run.json 1
"$saver" repeat busy/run.json 1 150 & one=$!
"$saver" repeat busy/run.json 3 150 & two=$!
"$saver" repeat busy/net.json 5 150 & three=$!
"$saver" watch busy/run.json 400 || wrong "a reader met a file that is not whole"
for saving in $one $two $three; do wait "$saving" || wrong "a save beside others failed"; done
[[ $("$saver" which busy/run.json busy/net.json) =~ ^[1-4]\ 6$ ]] || wrong "after the saves: $("$saver" which busy/run.json busy/net.json)"
[[ $(names busy) == "net.json net.json.prev run.json run.json.prev " ]] || wrong "left behind: $(names busy)"

# ---- a run holds its folder: a second is refused with process and host, saves of other files go on (P15)
mkdir held
coproc run { exec "$saver" run held/run.json 1; }
run_pid=$!
read -r answer <&"${run[0]}"
[[ $answer == held ]] || wrong "a run cannot hold its folder: $answer"
who="is in use by process $run_pid on host $(uname -n) for the run of \"run.json\""
refused() {  # NAME COMMAND...
  local name=$1
  shift
  "$saver" "$@" 2>said.txt </dev/null >/dev/null
  local code=$?
  [[ $code == 1 ]] && grep -qF "$who" said.txt || wrong "$name: expected exit 1 and \"$who\", got $code: $(<said.txt)"
}
refused "a second trainer of another file" run held/other.json 2
refused "a second trainer of the same file" run held/run.json 2
refused "a save of the run's file" save held/run.json 2
"$saver" save held/net.json 3 || wrong "a save beside a run fails"
echo >&"${run[1]}"
read -r answer <&"${run[0]}"
[[ $answer == 0 && $("$saver" which held/run.json held/net.json) == "1 3" ]] || wrong "a run saves under its own lock: $answer"
[[ $(names held) == ".lock net.json run.json " ]] || wrong "while a run holds: $(names held)"

# ---- the lock of a killed run is free, what it left goes with the next save (P15, P17)
kill -KILL $run_pid
{ wait $run_pid; } 2>/dev/null
: >"held/.run.json.$run_pid.1.2.tmp"
"$saver" save held/run.json 4 || wrong "a killed run keeps its folder"
[[ $(names held) == "net.json run.json run.json.prev " ]] || wrong "after a killed run: $(names held)"

# ---- no decision by the clock: it may stand still, and files may come from the future (P21)
mkdir clock
for generation in 1 2 3; do
  EMBER_CLOCK_STANDS=1 "$saver" save clock/run.json $generation || wrong "a save fails when the clock stands"
  touch -d "$((2100 - 10 * generation))-01-01" clock/run.json
done
[[ $("$saver" which clock/run.json clock/run.json.prev) == "3 2" ]] || wrong "clocks: $("$saver" which clock/run.json clock/run.json.prev)"

# ---- a disk that is full indeed (P1, P20), a read-only one (P13): in a mount of our own
mkdir disk
cat >mounts.sh <<'MOUNTS'
saver=$1
mount -t tmpfs -o size=2500k none disk || exit 77
said() { "$saver" save disk/run.json "$1" 2>said.txt; }
said 1 && said 2 || { echo "no room for two generations"; exit 1; }
head -c 300k /dev/zero >disk/ballast
said 3 && { echo "a save onto a full disk succeeds"; exit 1; }
grep -q "No space left on device" said.txt && grep -q "needed  at least 960,000 bytes" said.txt &&
  grep -qE "free    [1-9][0-9,]* bytes" said.txt || { echo "a full disk: $(<said.txt)"; exit 1; }
[[ $("$saver" which disk/run.json disk/run.json.prev) == "2 1" && $(ls -A disk | tr '\n' ' ') == "ballast run.json run.json.prev " ]] ||
  { echo "after a full disk: $(ls -A disk)"; exit 1; }
mkdir full && mount -t tmpfs -o size=4k none full && head -c 4096 /dev/zero >full/ballast || exit 77
rm disk/ballast disk/run.json.prev
TMPDIR=$PWD/full said 3 || { echo "a full folder of temporary files: $(<said.txt)"; exit 1; }
rm disk/run.json.prev
mount -o remount,ro none disk || exit 77
said 4 && { echo "a save onto a read-only disk succeeds"; exit 1; }
grep -q "Read-only file system" said.txt && grep -q "save where you may write" said.txt || { echo "read-only: $(<said.txt)"; exit 1; }
[[ $("$saver" run disk/run.json 5 </dev/null) == "not held" ]] || { echo "a read-only folder cannot be locked, and is no error yet"; exit 1; }
MOUNTS
unshare -m true 2>/dev/null && apart=(unshare -m) || apart=(unshare -r -m)
"${apart[@]}" bash mounts.sh "$saver"
case $? in
  0) ;;
  77) echo "no mounts of our own here: full and read-only disks are left out" ;;
  *) failures=$((failures + 1)) ;;
esac
exit $((failures > 0))
