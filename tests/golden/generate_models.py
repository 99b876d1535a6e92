#!/usr/bin/env python3
"""Names and shapes of the state of torchvision's nets, and what some of them answer, for tests/nn/ModelsTest.cpp.

Run by hand: apt-get install --no-install-recommends python3-torchvision && python3 tests/golden/generate_models.py

Weights are too many for a file: both sides compute them from their number (see `weight` here and there).
"""
import json
import math
from pathlib import Path

import torch
import torchvision

torch.set_num_threads(1)
HERE = Path(__file__).resolve().parent


def weight(tensor, name, number):
    """Element i of the tensor that stands at `number` in the state."""
    i = torch.arange(tensor.numel(), dtype=torch.int64)
    unit = ((i * 7919 + number * 104729 + 12345) % 65536).double() / 65536 - 0.5  # in [-0.5, 0.5)
    if tensor.dim() >= 2:
        value = unit * (2 * math.sqrt(6 / (tensor.numel() // tensor.shape[0])))
    elif name.endswith("running_var") or name.endswith("weight"):
        value = 1 + unit * 0.2
    else:
        value = unit * 0.2
    return value.reshape(tensor.shape)


def answer(net, size):
    """Scores of one picture, in f64."""
    net = net.double().eval()
    with torch.no_grad():
        for number, (name, t) in enumerate(net.state_dict().items()):
            if t.is_floating_point():
                t.copy_(weight(t, name, number))
        i = torch.arange(3 * size * size, dtype=torch.int64)
        x = (((i * 31 + 7) % 1000).double() / 500 - 1).reshape(1, 3, size, size)
        return {"size": size, "scores": net(x).reshape(-1)[:10].tolist()}


lines = []
for name, size in (("resnet18", 64), ("resnet50", 32), ("densenet121", 64), ("mobilenet_v2", 64), ("vgg11_bn", 0)):
    net = getattr(torchvision.models, name)(weights=None)
    record = {"name": name, "parameters": sum(p.numel() for p in net.parameters()),
              "state": [f"{key} {'x'.join(map(str, t.shape))}".rstrip() for key, t in net.state_dict().items()]}
    if size:
        record.update(answer(net, size))
    lines.append(json.dumps(record, separators=(",", ":")))
path = HERE / "models.json"
path.write_text('{"torchvision": "%s", "cases": [\n%s\n]}\n' % (torchvision.__version__, ",\n".join(lines)))
print(f"{path.name}: {len(lines)} cases, {path.stat().st_size} bytes")
