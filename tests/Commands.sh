#!/usr/bin/env bash
# What the commands say: examples/run lists and corrects, third_party/install is silent or explains itself, and CMake
# names the package of what it misses.
# needs: nothing
set -euo pipefail
fail() { echo "FAILED: $*"; exit 1; }
expect() { [[ $2 == *"$3"* ]] || fail "$1 says:"$'\n'"$2"$'\n'"without: $3"; }

cd "$EMBER_SOURCE_DIR"
list=$(examples/run)
for example in examples/*.cpp examples/*/; do
  name=$(basename "$example" .cpp)
  [[ $name != support ]] || continue
  line=$(grep -E "^  $name  +[^ ]" <<<"$list") || fail "examples/run has no line with a description for $name:"$'\n'"$list"
done

status=0
unknown=$(examples/run quikstart 2>&1) || status=$?
((status == 2)) || fail "an unknown example: exit status $status, not 2"
expect "examples/run quikstart" "$unknown" 'nearest: quickstart'
unknown=$(examples/run fashion 2>&1) || true
expect "examples/run fashion" "$unknown" 'nearest: fashion_mnist'
unknown=$(examples/run xyzzy 2>&1) || true
[[ $unknown != *nearest* ]] || fail "examples/run xyzzy guesses:"$'\n'"$unknown"
expect "examples/run xyzzy" "$unknown" 'no example "xyzzy". There are:'

status=0
unknown=$(tests/run --help 2>&1) || fail "tests/run --help: $unknown"
expect "tests/run --help" "$unknown" 'PATTERN'

if command -v apt-get >/dev/null; then
  quiet=$(third_party/install 2>&1)
  [[ -z $quiet ]] || fail "third_party/install isn't quiet the second time:"$'\n'"$quiet"
fi
status=0
without=$(PATH=/nowhere /bin/bash third_party/install 2>&1) || status=$?
((status == 1)) || fail "third_party/install without apt-get: exit status $status, not 1"
expect "third_party/install without apt-get" "$without" 'libdnnl-dev'

cd - >/dev/null
folder=$(mktemp -d "$PWD/configured.XXXXXX")
trap 'rm -rf "$folder"' EXIT
missing() {  # missing ARGUMENT PACKAGE: with that argument CMake misses that package, and says so
  local said
  if said=$(cmake -G Ninja -S "$EMBER_SOURCE_DIR" -B "$folder" -DCMAKE_CXX_COMPILER="$CXX" "$1" 2>&1); then
    fail "cmake $1 succeeds"
  fi
  said=$(tr '\n' ' ' <<<"$said" | tr -s ' ')
  expect "cmake $1" "$said" "Debian package: $2"
  expect "cmake $1" "$said" 'third_party/install'
}
missing -DCMAKE_DISABLE_FIND_PACKAGE_OneDNN=ON libdnnl-dev
