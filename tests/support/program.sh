# For test scripts of one example program, to be sourced: source program.sh NAME. Goes into a folder of its own.
program=$EMBER_BUILD_DIR/examples/$1
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

fail() {
  echo "$*"
  failures=$((failures + 1))
}

# expect CODE TEXT ARGS...: exits with CODE, and TEXT is somewhere in what it says, which stays in out.txt
expect() {
  local code=$1 text=$2
  shift 2
  "$program" "$@" >out.txt 2>&1
  local got=$?
  if [[ $got != "$code" ]] || ! grep -qF -- "$text" out.txt; then
    fail "$(basename "$program") $*: expected exit $code and \"$text\", got $got and:"
    sed 's/^/    /' out.txt
  fi
}

finish() { exit $((failures > 0)); }
