# Sourced by tests/Save*.sh: a folder with two generations, saves of a third under strace with a fault in one system call,
# and what must be so after each of them.
set -uo pipefail
saver=$EMBER_BUILD_DIR/tests/ember_test_saver
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failures=0 points=0
export OPENBLAS_NUM_THREADS=1 EMBER_THREADS=1 OMP_NUM_THREADS=1
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0  # in a build with sanitizers: leaks cannot be sought under strace

if ! strace -o /dev/null -e inject=getppid:error=EPERM true 2>skipped.txt; then
  echo "SKIPPED: no strace, or it may not trace here: $(head -n 1 skipped.txt)"
  exit 77
fi

declare -A text=(
  [EIO]="Input/output error" [ENOSPC]="No space left on device" [EDQUOT]="Disk quota exceeded"
  [EFBIG]="File too large" [EROFS]="Read-only file system" [EACCES]="Permission denied" [EPERM]="Operation not permitted"
  [EXDEV]="Invalid cross-device link" [EMFILE]="Too many open files" [ENFILE]="Too many open files in system"
  [ENOMEM]="Cannot allocate memory" [ENOENT]="No such file or directory")

wrong() {
  echo "$*"
  failures=$((failures + 1))
}

mkdir template
"$saver" save template/run.json 4
"$saver" save template/run.json 5
[[ $("$saver" which template/run.json template/run.json.prev) == "5 4" ]] || { echo "no template"; exit 1; }

not_kept='"f/run.json" is saved, but "run.json.prev" beside it is not the generation before'

prepare() { rm -rf f && cp -r template f; }

# traced STRACE-OPTIONS...: generation 6 is saved; sets code, said and calls (the system calls of the save)
traced() {
  prepare
  timeout -s KILL 60 strace -qq -o log.txt "$@" "$saver" save f/run.json 6 2>said.txt
  code=$?
  said=$(<said.txt)
  calls=$(sed -n '/the save begins/,/the save has ended/p' log.txt)
}

# after NAME ALLOWED...: the file is whole and the one that the exit code promises, nothing else is in the folder but
# what matches ALLOWED, and the next save makes everything good
after() {
  local name=$1 allowed=${2:-nothing} state first second names
  points=$((points + 1))
  state=$("$saver" after f/run.json 7)
  first=${state%%$'\n'*} state_before=${state%%$'\n'*} second=${state##*$'\n'}
  names=$(tr ' ' '\n' <<<"${first#*: }" | grep -vxE "run\.json|run\.json\.prev|$allowed")
  [[ -z $names ]] || wrong "$name: left behind: $names"
  case $code in
    0) [[ ($first == "6 "[45]": "* && -z $said) || ($first == "6 4: "* && $said == *"$not_kept"*) ]] ||
      wrong "$name: exit 0, but there is $first, and it says: $said" ;;
    1) [[ $first == "5 4: "* && $said == *"not saved: \"f/run.json\""* ]] || wrong "$name: exit 1, but there is $first, and it says: $said" ;;
    3) [[ $first == "6 5: "* && $said == *"saved, but"*"may not survive a loss of power"* ]] || wrong "$name: exit 3, but there is $first, and it says: $said" ;;
    *) wrong "$name: exit $code: $said" ;;
  esac
  [[ $second == "7 ${first%% *}: run.json run.json.prev" ]] || wrong "$name: the next save left $second"
}

# faults CALL "ERRORS": each error in each such call of a save in turn: in that one, and in it and all that follow
faults() {
  local call=$1 error n first last mode allowed=nothing
  read -r first last < <(awk -v call="$call(" '
    /the save begins/ { on = 1 } /the save has ended/ { on = 0 }
    index($0, call) == 1 { count++; if (on) { if (!first) first = count; last = count } }
    END { print first + 0, last + 0 }' clean.txt)
  ((first)) || { wrong "no $call in a save"; return; }
  case $call in  # these also remove things, or tell whether to
    unlinkat) allowed='\.lock|\.run\.json\..*\.tmp' ;;
    newfstatat | openat) allowed='\.lock' ;;
  esac
  for error in $2; do
    for ((n = first; n <= last; n++)); do
      for mode in "$n" "$n+"; do
        traced -e "inject=$call:error=$error:when=$mode"
        after "$call $((n - first + 1)) of $((last - first + 1)) ($mode) $error" "$allowed"
        [[ $code != 1 || $said == *"${text[$error]-$error}"* ]] || wrong "$call $mode $error: the cause is not named: $said"
      done
    done
  done
}

# must CODE TEXT NAME STRACE-OPTIONS...: this fault has this end
must() {
  local expected=$1 words=$2 name=$3
  shift 3
  traced "$@"
  [[ $code == "$expected" && $said == *"$words"* ]] || wrong "$name: expected exit $expected and \"$words\", got $code: $said"
  after "$name"
}

# number CALL PATTERN [BEHIND]: which call of CALL in a clean run is the first of the save (behind a line that matches
# BEHIND) that matches PATTERN
number() {
  awk -v call="$1(" -v pattern="$2" -v behind="${3-the save begins}" '
    $0 ~ behind { on = 1 }
    index($0, call) == 1 { count++; if (on && $0 ~ pattern) { print count; exit } }' clean.txt
}

traced
cp log.txt clean.txt
[[ $code == 0 ]] || { echo "a save without faults fails: $said"; exit 1; }
temporary=$(grep -oE '\.run\.json\.[0-9.]+\.tmp", O_RDWR\|O_CREAT\|O_EXCL[^=]*= [0-9]+' clean.txt | head -n 1)
temporary_fd=${temporary##* }

finish() {
  echo "fault points: $points"
  exit $((failures > 0))
}
