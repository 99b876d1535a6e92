#!/usr/bin/env bash
# A short round of tests/soak: enough to see a descriptor, a thread or a tensor that every round leaves behind.
# needs: soak
set -euo pipefail
"$EMBER_BUILD_DIR/tests/soak" --rounds 120
