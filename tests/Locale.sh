#!/usr/bin/env bash
# Reading and writing under German rules (a comma in 0,5 and points in 1.234.567), in a locale made for the purpose.
# needs: ember_test_core
set -euo pipefail
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
if ! localedef -c -i de_DE -f UTF-8 "$folder/de_DE.UTF-8" >"$folder/log" 2>&1 || [[ ! -e $folder/de_DE.UTF-8/LC_NUMERIC ]]; then
  echo "SKIPPED: localedef has no sources here (Debian's locales): $(head -n 1 "$folder/log")"
  exit 77
fi
german() { env LOCPATH="$folder" LC_ALL=de_DE.UTF-8 EMBER_TEST_LOCALE=de_DE.UTF-8 "$@"; }
[[ $(german locale decimal_point) == , ]] || { echo "the locale has no comma"; exit 1; }
german "$EMBER_BUILD_DIR/tests/ember_test_core" --no-intro \
  --source-file='*core/CheckpointTest.cpp,*CheckpointWriteTest.cpp,*CheckpointPayloadTest.cpp,*JsonTest.cpp,*ValueTest.cpp'
