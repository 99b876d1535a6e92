"""values.py FOLDER: takes down what the checkpoints in FOLDER hold, in FOLDER/values.json: the header as it is, and the
little-endian bytes of every tensor in hexadecimal. Knows no more of ember than its file format."""
import base64, json, pathlib, struct, sys

codes = {"f32": "f", "f64": "d", "i64": "q", "i32": "i", "i8": "b", "u8": "B", "bool": "?"}


def content(tensor, data):
    if tensor.get("encoding") != "decimal":
        return b"".join(base64.b64decode(chunk, validate=True) for chunk in data)
    if tensor["dtype"] == "bf16":
        return b"".join(struct.pack("<f", x)[2:] for x in data)
    return struct.pack(f"<{len(data)}{codes[tensor['dtype']]}", *data)


folder = pathlib.Path(sys.argv[1])
values = {}
for path in sorted(folder.glob("*.json")):
    if path.name == "values.json":
        continue
    file = json.loads(path.read_bytes())
    fixed = ("format", "format_version", "required_features", "tensors", "data", "end")
    tensors = [{key: t[key] for key in ("name", "role", "dtype", "shape")} | {"bytes": content(t, file["data"][t["name"]]).hex()}
               for t in file["tensors"]]
    values[path.name] = {"header": {k: v for k, v in file.items() if k not in fixed}, "tensors": tensors}
with (folder / "values.json").open("x") as to:  # never over one that is there
    to.write(json.dumps(values, indent=1) + "\n")
