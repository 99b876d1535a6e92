#!/usr/bin/env bash
# The commit that checkpoints name: what third_party/GitCommit.cmake writes, when it changes, what it watches.
# needs: nothing
set -euo pipefail
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CEILING_DIRECTORIES=$folder
fail() { echo "$*"; exit 1; }
look() {  # FOLDER: writes commit.h and commit.d
  cmake -DSOURCE="$1" -DHEADER="$folder/commit.h" -DDEPFILE="$folder/commit.d" -P "$EMBER_SOURCE_DIR/third_party/GitCommit.cmake"
}
expect() { [[ $(cat commit.h) == "#define EMBER_GIT_COMMIT \"$1\"" ]] || fail "expected $1, got $(cat commit.h)"; }
commit() { git -C "$1" -c user.name=a -c user.email=a@b commit -q --allow-empty -m x; }

mkdir -p 'a place/inner' plain
look "$folder/plain"; expect unknown
git init -q 'a place'
look "$folder/a place"; expect unknown  # no commit yet
commit 'a place'
look "$folder/a place"; expect "$(git -C 'a place' rev-parse --short=12 HEAD)"
grep -q 'a\\ place/.git/HEAD' commit.d && grep -q 'a\\ place/.git/logs/HEAD' commit.d || fail "does not watch HEAD: $(cat commit.d)"
touch -d '2001-01-01' commit.h
look "$folder/a place"
[[ $(date -r commit.h +%Y) == 2001 ]] || fail "the same commit writes the header again"
commit 'a place'
look "$folder/a place"; expect "$(git -C 'a place' rev-parse --short=12 HEAD)"
look "$folder/a place/inner"; expect unknown  # a repository around the sources is not theirs
