"""Golden values of elementwise ops, reductions, shape ops, products, softmax and activations."""
import torch
import torch.nn.functional as F

from golden_file import Draw, GoldenFile


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def elementwise():
    g = GoldenFile("elementwise")
    binary = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}
    shapes = {"same shape": ((2, 3), (2, 3)), "row": ((2, 3), (3,)), "column": ((2, 3), (2, 1)), "outer": ((3, 1), (1, 4)),
              "number": ((2, 2), ()), "channels": ((2, 3, 2, 2), (3, 1, 1))}
    for op, function in binary.items():
        for what, (a, b) in shapes.items():
            d = Draw(op + what)
            low = 0.5 if op == "div" else -2
            g.case(f"{op}: {what}", op, lambda a, b, f=function: f(a, b), {"a": d.uniform(*a), "b": d.uniform(*b, low=low)})
    g.case("neg", "neg", lambda x: -x, {"x": Draw("neg").uniform(5)})

    for op, function in {"maximum": torch.maximum, "minimum": torch.minimum}.items():
        d = Draw(op)
        g.case(f"{op}: broadcast", op, lambda a, b, f=function: f(a, b), {"a": d.distinct(2, 3), "b": d.distinct(3) + 0.01})
        g.case(f"{op}: equal elements share the gradient", op, lambda a, b, f=function: f(a, b),
               {"a": f64(1, 2, -1), "b": f64(1, 0, -1)})
    for op in ("equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"):
        torch_name = {"equal": "eq", "notEqual": "ne", "less": "lt", "lessEqual": "le", "greater": "gt", "greaterEqual": "ge"}[op]
        function = getattr(torch, torch_name)
        d = Draw("compare")
        a = d.integers(2, 3).double()
        g.case(f"{op}: broadcast", op, lambda a, b, f=function: f(a, b), {"a": a, "b": f64(1, 2, 0)}, grad=False)
        g.case(f"{op}: NaN and infinity", op, lambda a, b, f=function: f(a, b), {
            "a": f64(float("nan"), float("inf"), float("nan"), float("-inf")),
            "b": f64(1, float("inf"), float("nan"), float("inf"))}, grad=False)
    d = Draw("where")
    condition = d.integers(2, 3, high=2) == 1
    g.case("where: one shape", "where", lambda condition, a, b: torch.where(condition, a, b),
           {"condition": condition, "a": d.uniform(2, 3), "b": d.uniform(2, 3)})
    g.case("where: broadcast", "where", lambda condition, a, b: torch.where(condition, a, b),
           {"condition": condition, "a": d.uniform(3), "b": d.uniform(2, 1)})

    def unary(op, function, x, **options):
        g.case(options.pop("name", op), op, function, {"x": x}, options)

    unary("exp", torch.exp, Draw("exp").uniform(2, 3))
    unary("log", torch.log, Draw("log").uniform(2, 3, low=0.1, high=4))
    unary("sqrt", torch.sqrt, Draw("sqrt").uniform(2, 3, low=0.1, high=4))
    unary("abs", torch.abs, Draw("abs").uniform(2, 3))
    unary("abs", torch.abs, f64(0.0, -1, 2), name="abs: gradient 0 at 0")
    for op in ("square", "sin", "cos", "erf"):
        unary(op, getattr(torch, op), Draw(op).uniform(2, 3))
    unary("exp", torch.exp, f64(800, -800, float("-inf"), 0), name="exp: overflow and underflow")
    unary("log", torch.log, f64(0.0, -1, float("inf"), 1), name="log: 0 and below")
    for exponent in (2.0, 3.0, 0.5, -1.0, 2.5, 0.0, 1.0):
        unary("pow", lambda x, e=exponent: torch.pow(x, e), Draw(f"pow{exponent}").uniform(2, 3, low=0.2, high=3),
              name=f"pow: exponent {exponent:g}", exponent=exponent)
    for exponent in (2.0, 3.0, -2.0):
        unary("pow", lambda x, e=exponent: torch.pow(x, e), f64(-1.5, -0.5, -3),
              name=f"pow: negative base, exponent {exponent:g}", exponent=exponent)
    for exponent in (1.0, 2.0, 0.0):
        unary("pow", lambda x, e=exponent: torch.pow(x, e), f64(0.0, 1),
              name=f"pow: base 0, exponent {exponent:g}", exponent=exponent)
    unary("clamp", lambda x: torch.clamp(x, -0.5, 1), f64(-2, -0.5, 0.25, 1, 3), low=-0.5, high=1.0)
    unary("clamp", lambda x: torch.clamp(x, -1, 0.75), Draw("clamp").uniform(2, 3), name="clamp: random", low=-1.0, high=0.75)
    return g


def reduction():
    g = GoldenFile("reduction")
    axes_of = [[], [0], [-1], [1, 2], [0, 2]]
    for op in ("sum", "mean", "var", "amax", "amin"):
        for axes in axes_of:
            for keep in (False, True):
                if keep and axes not in ([0], [1, 2]):
                    continue

                def function(x, op=op, axes=axes, keep=keep):
                    every = axes or list(range(x.dim()))
                    if op == "var":
                        return torch.var(x, every, unbiased=True, keepdim=keep)
                    return getattr(torch, op)(x, every, keepdim=keep)

                x = Draw(op).distinct(2, 3, 4)
                options = {"axes": axes, "keepDims": keep}
                if op == "var":
                    options["correction"] = 1
                g.case(f"{op}: axes {axes}{' kept' if keep else ''}", op, function, {"x": x}, options)
    g.case("var: biased", "var", lambda x: torch.var(x, [1], unbiased=False), {"x": Draw("biased").uniform(2, 5)},
           {"axes": [1], "keepDims": False, "correction": 0})
    g.case("var: a constant far from 0", "var", lambda x: torch.var(x, [0], unbiased=True),
           {"x": f64(10000, 10001, 10002, 10000.5)}, {"axes": [0], "keepDims": False, "correction": 1})
    for op in ("amax", "amin"):
        g.case(f"{op}: equal elements share the gradient", op, lambda x, op=op: getattr(torch, op)(x, [1]),
               {"x": torch.tensor([[1.0, 3, 3], [-2, -2, -2]], dtype=torch.float64)}, {"axes": [1], "keepDims": False})
    for axis in (0, 1, -1):
        for keep in (False, True):
            g.case(f"argmax: axis {axis}{' kept' if keep else ''}", "argmax",
                   lambda x, a=axis, k=keep: torch.argmax(x, a, keepdim=k),
                   {"x": Draw("argmax").distinct(2, 3, 4)}, {"axis": axis, "keepDims": keep}, grad=False)
    g.case("argmax: the first of equals", "argmax", lambda x: torch.argmax(x, 0), {"x": f64(1, 5, 5, 2)},
           {"axis": 0, "keepDims": False}, grad=False)
    g.case("argmax: NaN is the largest", "argmax", lambda x: torch.argmax(x, 0), {"x": f64(1, 5, float("nan"), 2)},
           {"axis": 0, "keepDims": False}, grad=False)
    for shape in ((3, 1), (4,), (1, 1, 1), (2, 3, 4), ()):
        g.case(f"sumTo: {list(shape)}", "sumTo", lambda x, s=shape: x.sum_to_size(s), {"x": Draw("sumTo").uniform(2, 3, 4)},
               {"shape": list(shape)})
    return g


def shape():
    g = GoldenFile("shape")
    x = Draw("shape").uniform(2, 3, 4)

    def one(name, op, function, **options):
        g.case(name, op, function, {"x": x}, options)

    one("reshape: two axes", "reshape", lambda x: x.reshape(6, 4), shape=[6, 4])
    one("reshape: one size worked out", "reshape", lambda x: x.reshape(3, -1), shape=[3, -1])
    one("reshape: of a permuted array", "reshapeOfPermuted", lambda x: x.permute(2, 0, 1).reshape(4, 6),
        shape=[4, 6], axes=[2, 0, 1])
    one("flatten: from axis 1", "flatten", lambda x: x.flatten(1), first=1, last=-1)
    one("flatten: the first two", "flatten", lambda x: x.flatten(0, 1), first=0, last=1)
    one("permute", "permute", lambda x: x.permute(2, 0, 1), axes=[2, 0, 1])
    one("transpose", "transpose", lambda x: x.transpose(0, -1), a=0, b=-1)
    one("slice: a range", "slice", lambda x: x[:, 1:3], axis=1, start=1, stop=3, step=1)
    one("slice: every second", "slice", lambda x: x[..., 1::2], axis=-1, start=1, stop=100, step=2)
    one("slice: counted from the end", "slice", lambda x: x[..., -3:-1], axis=2, start=-3, stop=-1, step=1)
    one("slice: nothing", "slice", lambda x: x[:, 2:2], axis=1, start=2, stop=2, step=1)
    one("select", "select", lambda x: x.select(1, -1), axis=1, index=-1)
    one("unsqueeze", "unsqueeze", lambda x: x.unsqueeze(1), axis=1)
    one("unsqueeze: at the end", "unsqueeze", lambda x: x.unsqueeze(-1), axis=-1)
    g.case("squeeze", "squeeze", lambda x: x.squeeze(1), {"x": Draw("squeeze").uniform(2, 1, 3)}, {"axis": 1})
    g.case("expand", "expand", lambda x: x.expand(2, 3, 4), {"x": Draw("expand").uniform(3, 1)}, {"shape": [2, 3, 4]})
    d = Draw("join")
    parts = {"a": d.uniform(2, 3), "b": d.uniform(2, 1), "c": d.uniform(2, 2)}
    g.case("concat: axis 1", "concat", lambda a, b, c: torch.cat([a, b, c], 1), parts, {"axis": 1})
    g.case("concat: an empty part", "concat", lambda a, b: torch.cat([a, b], 0), {"a": d.uniform(2, 3), "b": d.uniform(0, 3)},
           {"axis": 0})
    same = {"a": d.uniform(2, 3), "b": d.uniform(2, 3)}
    for axis in (0, 1, -1):
        g.case(f"stack: axis {axis}", "stack", lambda a, b, n=axis: torch.stack([a, b], n), same, {"axis": axis})
    one("pad: zeros", "pad", lambda x: F.pad(x, (1, 2, 0, 1)), before=[0, 0, 1], after=[0, 1, 2], value=0.0)
    one("pad: a value", "pad", lambda x: F.pad(x, (0, 1, 2, 0, 1, 0), value=-1.5), before=[1, 2, 0], after=[0, 0, 1], value=-1.5)
    return g


def matmul():
    g = GoldenFile("matmul")
    shapes = {"matrices": ((2, 3), (3, 4)), "vectors": ((3,), (3,)), "matrix and vector": ((2, 3), (3,)),
              "vector and matrix": ((3,), (3, 2)), "batches": ((2, 2, 3), (2, 3, 2)), "batch and matrix": ((2, 2, 3), (3, 2)),
              "matrix and batch": ((2, 3), (2, 3, 2)), "batch and vector": ((2, 2, 3), (3,)),
              "broadcast batches": ((2, 1, 2, 3), (3, 3, 2)), "one row": ((1, 3), (3, 1)), "no rows": ((0, 3), (3, 2)),
              "nothing to sum": ((2, 0), (0, 3))}
    for what, (a, b) in shapes.items():
        d = Draw("matmul" + what)
        g.case(f"matmul: {what}", "matmul", lambda a, b: torch.matmul(a, b), {"a": d.uniform(*a), "b": d.uniform(*b)})
    d = Draw("linear")
    g.case("linear: with bias", "linear", lambda x, w, b: F.linear(x, w, b),
           {"x": d.uniform(4, 3), "w": d.uniform(2, 3), "b": d.uniform(2)})
    g.case("linear: without bias", "linear", lambda x, w: F.linear(x, w), {"x": d.uniform(2, 3), "w": d.uniform(4, 3)})
    g.case("linear: sequences", "linear", lambda x, w, b: F.linear(x, w, b),
           {"x": d.uniform(2, 2, 3), "w": d.uniform(2, 3), "b": d.uniform(2)})
    return g


def activation():
    g = GoldenFile("activation")
    x = torch.cat([Draw("activation").uniform(8, low=-4, high=4), f64(0.0, 30, -30, 6, -0.001)])
    functions = {"relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "silu": F.silu, "gelu": F.gelu,
                 "geluTanh": lambda x: F.gelu(x, approximate="tanh"), "softplus": F.softplus}
    for op, function in functions.items():
        g.case(op, op, function, {"x": x})
    for slope in (0.01, 0.2, 0.0):
        g.case(f"leakyRelu: slope {slope}", "leakyRelu", lambda x, s=slope: F.leaky_relu(x, s), {"x": x}, {"slope": slope})
    far = f64(700, -700, 1000, -1000)
    for op in ("sigmoid", "tanh", "silu", "softplus", "gelu", "geluTanh"):
        g.case(f"{op}: far out", op, functions[op], {"x": far})
    for op, function in {"softmax": F.softmax, "logSoftmax": F.log_softmax}.items():
        for axis in (0, 1, -1):
            g.case(f"{op}: axis {axis}", op, lambda x, f=function, a=axis: f(x, a),
                   {"x": Draw(op).uniform(2, 3, 2)}, {"axis": axis})
        g.case(f"{op}: large logits", op, lambda x, f=function: f(x, -1), {"x": f64(1000, 1001, -1000)}, {"axis": -1})
        g.case(f"{op}: one class", op, lambda x, f=function: f(x, -1), {"x": torch.ones(2, 1, dtype=torch.float64)}, {"axis": -1})
        g.case(f"{op}: -inf among finite logits", op, lambda x, f=function: f(x, -1),
               {"x": f64(1, float("-inf"), 2)}, {"axis": -1})
    return g


def files():
    return [elementwise(), reduction(), shape(), matmul(), activation()]
