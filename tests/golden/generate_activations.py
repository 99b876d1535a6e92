"""Golden values of the activations beside those of generate_ops.py: of three pieces, smooth, learned and gated; and as layers."""
import torch
import torch.nn.functional as F
from torch import nn

from generate_layers import layer_record
from golden_file import Draw, GoldenFile

INF = float("inf")


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def points(name, *kinks):
    """Numbers about 0, the kinks of the function, and numbers far out."""
    return torch.cat([Draw(name).uniform(8, low=-4, high=4), f64(*kinks), f64(30, -30, 1e4, -1e4, -0.001)])


def hardsigmoid(x):
    """F.hardsigmoid with a 1/6 of double precision in the gradient: PyTorch's own is a float."""
    return F.relu6(x + 3) / 6


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def piecewise():
    g = GoldenFile("piecewise")

    def one(op, function, *kinks, **options):
        what = ", ".join(f"{k} {v:g}" for k, v in options.items())
        name = f"{op}: {what}" if what else op
        g.case(name, op, function, {"x": points(name, *kinks)}, options)
        if what:
            return
        far = f64(INF, float("nan")) if op == "hardswish" else f64(INF, -INF, float("nan"))  # NaN at -inf in PyTorch
        g.case(f"{op}: infinity and NaN", op, function, {"x": far}, options, grad=False)

    one("relu6", F.relu6, 0, 6)
    one("hardsigmoid", hardsigmoid, -3, 3, 0)
    one("hardswish", F.hardswish, 0)  # at -3 its gradient was -1/2 until PyTorch 2, since then 0
    for low, high in ((-1.0, 1.0), (-0.5, 2.25)):
        one("hardtanh", lambda x, a=low, b=high: F.hardtanh(x, a, b), low, high, min=low, max=high)
    for size in (0.5, 1.25, 0.0):
        one("softshrink", lambda x, s=size: F.softshrink(x, s), size, -size, **{"lambda": size})
        one("hardshrink", lambda x, s=size: F.hardshrink(x, s), size, -size, **{"lambda": size})
    for limit, value in ((0.0, 0.0), (-1.5, 7.0)):
        one("threshold", lambda x, t=limit, v=value: F.threshold(x, t, v), limit, threshold=limit, value=value)
    return g


def smooth():
    g = GoldenFile("smooth")

    def one(op, function, *kinks, **options):
        what = ", ".join(f"{k} {v:g}" for k, v in options.items())
        name = f"{op}: {what}" if what else op
        g.case(name, op, function, {"x": points(name, *kinks)}, options)

    for op, function in {"selu": F.selu, "mish": F.mish, "softsign": F.softsign, "logSigmoid": F.logsigmoid,
                         "tanhshrink": F.tanhshrink}.items():
        one(op, function, 0)
    for alpha in (1.0, 0.25, 2.5):
        one("elu", lambda x, a=alpha: F.elu(x, a), 0, alpha=alpha)
        one("celu", lambda x, a=alpha: F.celu(x, a), 0, alpha=alpha)
    for beta, threshold in ((1.0, 20.0), (2.0, 20.0), (0.5, 1.0)):
        one("softplusScaled", lambda x, b=beta, t=threshold: F.softplus(x, b, t), 2, beta=beta, threshold=threshold)
    d = Draw("prelu")
    for what, shape, slopes in (("one slope", (2, 3), 1), ("a slope a channel", (2, 3), 3), ("pictures", (2, 3, 2, 2), 3),
                                ("pictures, one slope", (2, 3, 2, 2), 1), ("a vector", (4,), 1)):
        g.case(f"prelu: {what}", "prelu", F.prelu, {"x": d.uniform(*shape), "weight": d.uniform(slopes)})
    for what, shape, axis in (("the last axis", (2, 4), -1), ("channels", (2, 4, 2), 1)):
        g.case(f"glu: {what}", "glu", lambda x, a=axis: F.glu(x, a), {"x": Draw("glu").uniform(*shape)}, {"axis": axis})
    return g


def layers():
    g = GoldenFile("activationLayers")

    def one(name, module, *shape):
        g.add(layer_record(name, module, *(shape or (2, 6))))

    for kind in (nn.ReLU6, nn.SELU, nn.Mish, nn.Softsign, nn.Hardswish, nn.LogSigmoid, nn.Tanhshrink,
                 nn.ELU, nn.CELU, nn.Softshrink, nn.Hardshrink, nn.Softplus, nn.Hardtanh, nn.GLU):
        one(kind.__name__, kind())
    one("Hardsigmoid", Function(hardsigmoid))
    one("ELU 0.4", nn.ELU(0.4))
    one("CELU 2", nn.CELU(2.0))
    one("Softshrink 0.2", nn.Softshrink(0.2))
    one("Hardshrink 0.2", nn.Hardshrink(0.2))
    one("Softplus 2, 0.1", nn.Softplus(2.0, 0.1))
    one("Hardtanh -0.2, 0.1", nn.Hardtanh(-0.2, 0.1))
    one("Threshold 0.1, -3", nn.Threshold(0.1, -3.0))
    one("Clip -0.2, 0.1", Function(lambda x: x.clamp(-0.2, 0.1)))
    one("PReLU", nn.PReLU())
    one("PReLU 3", nn.PReLU(3), 2, 3, 2, 2)
    one("GLU 1", nn.GLU(1), 2, 4, 3)
    return g


def files():
    return [piecewise(), smooth(), layers()]
