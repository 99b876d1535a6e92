"""Golden values of layers that reshape, join and split: several inputs and outputs."""
import math

import torch
from torch import nn

from golden_file import Draw, GoldenFile


def files():
    g = GoldenFile("shapeLayers")

    def one(name, function, *shapes):
        draw = Draw("shapeLayers " + name)
        g.case(name, name.split(":")[0], function, {f"x{i}": draw.uniform(*s) for i, s in enumerate(shapes)})

    one("Unflatten: pictures", nn.Unflatten(1, (3, 2, 2)), (2, 12))
    one("Unflatten: the rest of the first axis", nn.Unflatten(0, (-1, 3)), (6, 2))
    one("Reshape: pictures", lambda x: x.reshape(len(x), 3, 2, 2), (2, 12))
    one("Reshape: the rest", lambda x: x.reshape(len(x), 2, -1), (2, 3, 4))
    one("Permute", lambda x: x.permute(0, 2, 3, 1), (2, 3, 2, 2))
    one("SwapAxes", lambda x: x.swapaxes(-1, 1), (2, 3, 2))
    one("Slice: from the third", lambda x: x[:, 2:], (2, 5))
    one("Slice: every second but the last", lambda x: x[:, :, 0:-1:2], (1, 2, 6))
    one("Tile", lambda x: x.tile((2, 3)), (2, 1, 2))
    one("Cast", lambda x: x.double(), (2, 2))
    one("Sum: all", lambda x: x.sum(), (2, 3))
    one("Sum: one axis", lambda x: x.sum(1), (2, 3, 2))
    one("Sum: two axes, kept", lambda x: x.sum((0, 2), keepdim=True), (2, 3, 2))
    one("Pad1D", nn.ConstantPad1d((0, 2), 0.5), (1, 2, 3))
    one("Pad2D", nn.ConstantPad2d((0, 2, 1, 0), -1.0), (1, 2, 2, 2))
    one("Pad3D", nn.ConstantPad3d((2, 2, 0, 0, 1, 1), 0.0), (1, 1, 2, 2, 2))
    one("Pad1D: reflect", nn.ReflectionPad1d((1, 2)), (1, 2, 3))
    one("Pad2D: replicate", nn.ReplicationPad2d((0, 2, 1, 0)), (1, 1, 2, 2))
    one("Pad3D: circular", lambda x: nn.functional.pad(x, (1,) * 6, mode="circular"), (1, 1, 1, 2, 2))
    one("Concat: channels", lambda *x: torch.cat(x, 1), (2, 3, 2), (2, 1, 2), (2, 2, 2))
    one("Concat: the last axis", lambda *x: torch.cat(x, -1), (2, 3), (2, 1))
    one("Split: equal parts", lambda x: x.tensor_split(3, 1), (2, 6, 2))
    one("Split: sizes", lambda x: x.split((1, 4), 0), (5, 2))
    one("Add", lambda a, b, c: a + b + c, (2, 3, 2), (3, 1), (2, 1, 2))
    one("Mul", lambda *x: math.prod(x), (2, 3, 2), (3, 1), (2, 1, 2))
    one("Replicate", lambda x: (x * 1, x * 1, x * 1), (2, 3))
    return [g]
