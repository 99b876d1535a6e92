#!/usr/bin/env bash
# The lines of Python in README read every golden checkpoint, with the values that stand beside them.
# needs: nothing
set -euo pipefail
python=
for candidate in python3 /usr/bin/python3; do  # the first may be another than the one that has Debian's packages
  if "$candidate" -c 'import numpy' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [[ ! $python ]]; then
  echo "SKIPPED: no python3 has NumPy (Debian's python3-numpy)"
  exit 77
fi
folder=$(mktemp -d "$PWD/run.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
golden=$EMBER_SOURCE_DIR/tests/golden/checkpoints

# The one block of Python that reads net.json, as it stands.
awk '/^```python$/ { inside = 1; text = ""; next }
     /^```$/ { if (inside && text ~ /"net.json"/) printf "%s", text; inside = 0 }
     inside { text = text $0 "\n" }' "$EMBER_SOURCE_DIR/README.md" >lines.py
[[ $(grep -c 'json.load' lines.py) == 1 ]] || { echo "README has no block of Python that reads net.json"; exit 1; }

cat >check.py <<'END'
import json, sys
name, golden = sys.argv[1:]
exec(open("lines.py").read())
tensors = json.load(open(golden + "/values.json", "rb"))[name]["tensors"]
assert list(weights) == [t["name"] for t in tensors], weights.keys()
for t in tensors:
    array = weights[t["name"]]
    assert list(array.shape) == t["shape"], (t["name"], array.shape)
    if t["dtype"] == "bf16":  # comes as f32, whose lower half is empty
        words = array.view("<u4")
        assert array.dtype == numpy.dtype("<f4") and not (words & 0xFFFF).any(), t["name"]
        array = (words >> 16).astype("<u2")
    assert array.tobytes().hex() == t["bytes"], t["name"]
print(f"{name}: {len(tensors)} tensors")
END
count=0
for file in "$golden"/*.json "$golden"/*/*.json; do  # a folder for each release but the first
  name=$(basename "$file")
  [[ $name != values.json ]] || continue
  cp "$file" net.json
  "$python" check.py "$name" "$(dirname "$file")"
  count=$((count + 1))
done
((count >= 11)) || { echo "only $count golden checkpoints"; exit 1; }
