#!/usr/bin/env bash
# SIGKILL before and after every system call of a save (P8), by a tracer of our own, in five situations: beside a damaged file, too.
# needs: ember_test_saver
set -uo pipefail
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
"$EMBER_BUILD_DIR/tests/ember_test_saver" kills "$folder/kills"
