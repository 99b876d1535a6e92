"""What the generators share: a golden file is {"torch": version, "cases": [...]}, one case a line.

A case holds what goes in and what PyTorch gives: {"name", "op", "options", "inputs": {name: tensor}, "outputs": [tensor],
"outputGradients": [tensor or null], "gradients": {name: tensor}}. A tensor is {"shape", "data"} in f64 unless "dtype" says
otherwise. Inputs have few decimals, so they are read back exactly; results have all digits of a double.
"""
import json
import math
import random
import zlib
from pathlib import Path

import torch

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
HERE = Path(__file__).resolve().parent


class Draw:
    """Numbers that depend on a name alone, so a new case changes no other."""

    def __init__(self, name):
        self.random = random.Random(zlib.crc32(name.encode()))

    def uniform(self, *shape, low=-2.0, high=2.0, dtype=torch.float64):
        """Uniform, with three decimals, never 0 (many derivatives jump there)."""
        values = []
        for _ in range(math.prod(shape)):
            value = round(self.random.uniform(low, high), 3)
            values.append(value if value != 0 else 0.125)
        return torch.tensor(values, dtype=dtype).reshape(shape)

    def distinct(self, *shape, step=0.05):
        """A shuffled arithmetic sequence about 0: no two are equal or close (maxima, pools)."""
        n = math.prod(shape)
        values = [round((i - n / 2 + 0.25) * step, 4) for i in range(n)]
        self.random.shuffle(values)
        return torch.tensor(values, dtype=torch.float64).reshape(shape)

    def integers(self, *shape, low=0, high=4, dtype=torch.int64):
        return torch.tensor([self.random.randrange(low, high) for _ in range(math.prod(shape))], dtype=dtype).reshape(shape)


def number(value):
    """JSON has no NaN and no infinity: they are written as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return int(value) if math.copysign(1, value) > 0 or value != 0 else -0.0
    return value


def tensor_json(t):
    t = t.detach()
    result = {"shape": list(t.shape), "data": [number(v) for v in t.reshape(-1).tolist()]}
    names = {torch.int64: "i64", torch.bool: "bool", torch.float32: "f32", torch.int32: "i32"}
    if t.dtype != torch.float64:
        result["dtype"] = names[t.dtype]
    return result


def tuple_of(outputs):
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)


class GoldenFile:
    def __init__(self, family):
        self.family = family
        self.cases = []

    def case(self, name, op, function, inputs, options=None, grad=True, only=None):
        """Runs function(*inputs.values()); records results and the gradients of the floating inputs (or of those in `only`)."""
        inputs = dict(inputs)
        wanted = [k for k, t in inputs.items() if grad and t.is_floating_point() and (only is None or k in only)]
        leaves = {k: t.clone().requires_grad_(k in wanted) for k, t in inputs.items()}
        outputs = tuple_of(function(*leaves.values()))
        record = {"name": name, "op": op, "options": options or {},
                  "inputs": {k: tensor_json(t) for k, t in inputs.items()},
                  "outputs": [tensor_json(t) for t in outputs]}
        if wanted:
            draw = Draw(self.family + "/" + name + "/gradient")
            upstream = [draw.uniform(*t.shape) if t.requires_grad else None for t in outputs]
            pairs = [(t, g) for t, g in zip(outputs, upstream) if g is not None]
            torch.autograd.backward([t for t, _ in pairs], [g for _, g in pairs])
            record["outputGradients"] = [None if g is None else tensor_json(g) for g in upstream]
            record["gradients"] = {k: tensor_json(torch.zeros_like(leaves[k]) if leaves[k].grad is None else leaves[k].grad)
                                   for k in wanted}
        self.add(record)

    def add(self, record):
        if any(c["name"] == record["name"] for c in self.cases):
            raise ValueError(f"{self.family}: two cases are called {record['name']}")
        self.cases.append(record)

    def write(self):
        lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in self.cases)
        path = HERE / (self.family + ".json")
        path.write_text('{"torch": "%s", "cases": [\n%s\n]}\n' % (torch.__version__, lines))
        print(f"{path.name}: {len(self.cases)} cases, {path.stat().st_size} bytes")
