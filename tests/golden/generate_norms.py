"""Golden values of the norms without batch statistics, of embeddings and of grouped linear maps; and as layers."""
import torch
import torch.nn.functional as F
from torch import nn

from generate_layers import layer_record
from golden_file import Draw, GoldenFile


def rms_norm(x, shape, weight=None, eps=1e-5):
    """torch.nn.functional.rms_norm, which came with PyTorch 2.4."""
    axes = tuple(range(-len(shape), 0))
    y = x * torch.rsqrt(x.pow(2).mean(axes, keepdim=True) + eps)
    return y if weight is None else y * weight


def grouped_linear(x, weight, bias=None):
    groups, _, inputs = weight.shape
    y = torch.einsum("...gc,gkc->...gk", x.unflatten(-1, (groups, inputs)), weight).flatten(-2)
    return y if bias is None else y + bias


def ops():
    g = GoldenFile("norms")

    def norm(op, function, what, x, parameters, **options):
        d = Draw(op + what)
        inputs = {"x": d.uniform(*x), **{k: d.uniform(*shape, low=0.5) for k, shape in parameters.items()}}
        g.case(f"{op}: {what}", op, function, inputs, options)

    for what, x, shape in (("the last axis", (3, 4), (4,)), ("two axes", (2, 3, 2, 4), (2, 4)), ("all", (2, 3), (2, 3))):
        norm("layerNorm", lambda x, w, b, s=shape: F.layer_norm(x, s, w, b), what, x, {"weight": shape, "bias": shape},
             normalized=list(shape), epsilon=1e-5)
        norm("rmsNorm", lambda x, w, s=shape: rms_norm(x, s, w), what, x, {"weight": shape}, normalized=list(shape),
             epsilon=1e-5)
    norm("layerNorm", lambda x: F.layer_norm(x, (4,), eps=0.1), "not affine, epsilon 0.1", (3, 4), {}, normalized=[4], epsilon=0.1)
    norm("rmsNorm", lambda x: rms_norm(x, (4,), eps=0.1), "not affine, epsilon 0.1", (3, 4), {}, normalized=[4], epsilon=0.1)
    g.case("layerNorm: far from 0", "layerNorm", lambda x: F.layer_norm(x, (4,)),
           {"x": torch.tensor([[1e4, 10001, 10002, 10000.5], [5, 5, 5, 5]], dtype=torch.float64)},
           {"normalized": [4], "epsilon": 1e-5}, grad=False)
    for groups in (1, 2, 4):
        norm("groupNorm", lambda x, w, b, n=groups: F.group_norm(x, n, w, b), f"{groups} groups", (2, 4, 2, 3),
             {"weight": (4,), "bias": (4,)}, groups=groups, epsilon=1e-5)
    norm("groupNorm", lambda x: F.group_norm(x, 2), "no spatial axes, not affine", (3, 4), {}, groups=2, epsilon=1e-5)
    for what, x in (("lines", (2, 3, 4)), ("pictures", (2, 3, 2, 3)), ("volumes", (1, 2, 2, 1, 3))):
        norm("instanceNorm", lambda x, w, b: F.instance_norm(x, weight=w, bias=b), what, x,
             {"weight": x[1:2], "bias": x[1:2]}, epsilon=1e-5)
    for size, shape in ((1, (2, 3, 4)), (2, (2, 5, 2, 2)), (3, (1, 4, 3)), (5, (2, 3, 2, 1, 2))):
        norm("localResponseNorm", lambda x, n=size: F.local_response_norm(x, n, 0.3, 0.6, 1.5), f"size {size}", shape, {},
             size=size, alpha=0.3, beta=0.6, k=1.5)
    for axis in (0, 1, -1):
        norm("normalize", lambda x, a=axis: F.normalize(x, dim=a), f"axis {axis}", (2, 3, 2), {}, axis=axis)
    g.case("normalize: zeros", "normalize", lambda x: F.normalize(x, dim=1), {"x": torch.zeros(2, 3, dtype=torch.float64)},
           {"axis": 1})
    d = Draw("embedding")
    for what, shape, padding in (("a list", (6,), None), ("a table", (2, 3), None), ("padding", (6,), 1), ("padding from the end", (6,), -1)):
        g.case(f"embedding: {what}", "embedding", lambda i, w, p=padding: F.embedding(i, w, padding_idx=p),
               {"indices": d.integers(*shape, high=4), "weight": d.uniform(4, 3)}, {} if padding is None else {"padding": padding})
    for what, x, bias in (("rows", (3, 6), True), ("sequences", (2, 2, 6), True), ("no bias", (3, 6), False)):
        parameters = {"weight": (2, 2, 3), **({"bias": (4,)} if bias else {})}
        norm("groupedLinear", grouped_linear, what, x, parameters)
    return g


class RMSNorm(nn.Module):
    def __init__(self, shape, eps=None):
        super().__init__()
        self.shape, self.eps, self.weight = shape, eps, nn.Parameter(torch.ones(shape))

    def forward(self, x):
        return rms_norm(x, self.shape, self.weight, self.eps)


class GroupedLinear(nn.Module):
    def __init__(self, groups, outputs, inputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(groups, outputs, inputs))
        self.bias = nn.Parameter(torch.empty(groups * outputs))

    def forward(self, x):
        return grouped_linear(x, self.weight, self.bias)


def layers():
    g = GoldenFile("normLayers")

    def one(name, module, *shape, **how):
        g.add(layer_record(name, module, *shape, **how))

    one("LayerNorm", nn.LayerNorm(4), 3, 4)
    one("LayerNorm: two axes, epsilon 0.1", nn.LayerNorm((2, 3), eps=0.1), 2, 2, 3)
    one("LayerNorm: not affine", nn.LayerNorm(4, elementwise_affine=False), 3, 4)
    one("RMSNorm", RMSNorm((4,), 0.01), 3, 4)
    one("GroupNorm", nn.GroupNorm(2, 4), 2, 4, 3)
    one("GroupNorm: not affine", nn.GroupNorm(4, 4, eps=0.1, affine=False), 2, 4, 2, 2)
    one("LocalResponseNorm", nn.LocalResponseNorm(3), 2, 4, 3)
    one("LocalResponseNorm: every option", nn.LocalResponseNorm(2, 0.2, 0.5, 2.0), 2, 4, 3)
    for spatial, kind in enumerate((nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d), 1):
        name = f"InstanceNorm{spatial}D"
        shape = (2, 3) + (3, 2, 2)[:spatial]
        one(name, kind(3), *shape)
        every = kind(3, eps=0.01, momentum=0.3, affine=True, track_running_stats=True)
        one(f"{name}: affine, tracked", every, *shape)
        draw = Draw(name)
        every.running_mean.copy_(draw.uniform(3))
        every.running_var.copy_(draw.uniform(3, low=0.5))
        one(f"{name}: evaluation", every, *shape, training=False)
    for kind in ("Dropout1D", "Dropout2D", "Dropout3D"):
        shape = (2, 3) + (2, 2, 2)[:int(kind[7])]
        one(f"{kind} of nothing", getattr(nn, kind.lower().capitalize())(0.0), *shape)
    one("AlphaDropout of nothing", nn.AlphaDropout(0.0), 2, 3)
    one("FeatureAlphaDropout of nothing", nn.FeatureAlphaDropout(0.0), 2, 3)
    one("Embedding", nn.Embedding(4, 3), x=Draw("embedding layer").integers(2, 3, high=4))
    one("Embedding: padding", nn.Embedding(4, 3, padding_idx=1), x=torch.tensor([1, 0, 3, 1]))
    one("GroupedLinear", GroupedLinear(2, 2, 3), 3, 6)
    weight_norm = nn.utils.weight_norm
    one("WeightNorm: Linear", weight_norm(nn.Linear(3, 2)), 4, 3)
    one("WeightNorm: the whole weight", weight_norm(nn.Linear(3, 2), dim=None), 4, 3)
    one("WeightNorm: Conv2D, inputs", weight_norm(nn.Conv2d(2, 3, 2, bias=False), dim=1), 1, 2, 3, 3)
    return g


def files():
    return [ops(), layers()]
