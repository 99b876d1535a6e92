"""Golden values of the tensor functions that a user of NumPy expects."""
import torch

from golden_file import Draw, GoldenFile


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


INF, NAN = float("inf"), float("nan")


def functions():
    g = GoldenFile("functions")
    ranges = {"expm1": (-2, 2), "log1p": (-0.9, 3), "log2": (0.1, 4), "rsqrt": (0.1, 4), "reciprocal": (-2, 2), "tan": (-1.4, 1.4),
              "asin": (-0.9, 0.9), "acos": (-0.9, 0.9), "atan": (-3, 3), "sinh": (-3, 3), "cosh": (-3, 3), "asinh": (-3, 3),
              "acosh": (1.1, 4), "atanh": (-0.9, 0.9), "floor": (-3, 3), "ceil": (-3, 3), "round": (-3, 3), "trunc": (-3, 3),
              "sign": (-3, 3)}
    edges = {"expm1": (1e-12, -800, 0), "log1p": (1e-12, -1, 0), "atanh": (0, 0.5, NAN), "round": (0.5, 1.5, 2.5, -0.5, -1.5, INF),
             "floor": (-0.5, 2, -INF), "ceil": (-0.5, 2, NAN), "sign": (0, INF, -INF), "asinh": (1e-12, 1e8, -1e8), "acos": (1.5, -1, 0)}
    for op, (low, high) in ranges.items():
        g.case(op, op, getattr(torch, op), {"x": Draw(op).uniform(2, 3, low=low, high=high)})
        if op in edges:
            g.case(op + ": edges", op, getattr(torch, op), {"x": f64(*edges[op])}, grad=False)
    for op in ("fmod", "remainder"):
        d = Draw(op)
        g.case(op, op, getattr(torch, op), {"a": d.uniform(2, 3, low=-5, high=5), "b": d.uniform(3, low=0.5, high=2)})
        g.case(op + ": of all signs", op, getattr(torch, op), {"a": f64(5.5, -5.5, 5.5, -5.5, 4), "b": f64(2, 2, -2, -2, 2)})
        g.case(op + ": integers", op, getattr(torch, op),
               {"a": torch.tensor([7, -7, 7, -7, 6]), "b": torch.tensor([3, 3, -3, -3, -1])}, grad=False)
    d = Draw("pow")
    g.case("pow: of tensors", "powOf", torch.pow, {"a": d.uniform(2, 3, low=0.2, high=2), "b": d.uniform(3)})
    g.case("pow: base 0", "powOf", torch.pow, {"a": f64(0, 0, 0, -2), "b": f64(0, 1, 2.5, 2)}, only=("a",))
    g.case("pow: base 0, the exponent's gradient", "powOf", torch.pow, {"a": f64(0, 0, 0, 2), "b": f64(0, 1, 2.5, 2)}, only=("b",))
    g.case("pow: integers", "powOf", torch.pow, {"a": torch.tensor([2, -3, 0]), "b": torch.tensor([10, 3, 0])}, grad=False)
    words = {"logicalAnd": "logical_and", "logicalOr": "logical_or", "logicalXor": "logical_xor"}
    for op, word in words.items():
        g.case(op, op, getattr(torch, word), {"a": f64(0, 0, 2, -1).reshape(2, 2), "b": torch.tensor([False, True])}, grad=False)
    special = f64(0, 1, NAN, INF, -INF, -0.5)
    for op, function in {"logicalNot": torch.logical_not, "isnan": torch.isnan, "isinf": torch.isinf, "isfinite": torch.isfinite}.items():
        g.case(op, op, function, {"x": special}, grad=False)
    return g


def lines():
    """Reductions and running sums."""
    g = GoldenFile("lines")
    x = Draw("truth").integers(3, 4, high=2)
    for op in ("any", "all"):
        for axes in ([0], [1]):
            g.case(f"{op}: axis {axes[0]}", op, lambda x, o=op, a=axes: getattr(torch, o)(x != 0, a[0]), {"x": x},
                   {"axes": axes, "keepDims": False}, grad=False)
        g.case(f"{op}: NaN is true", op, lambda x, o=op: getattr(torch, o)(x.bool(), 0), {"x": f64(0, NAN)},
               {"axes": [0], "keepDims": False}, grad=False)
    for axis in (0, 1, -1):
        x = Draw("prod").uniform(2, 3, 4)
        g.case(f"prod: axis {axis}", "prod", lambda x, a=axis: torch.prod(x, a), {"x": x}, {"axes": [axis], "keepDims": False})
        g.case(f"argmin: axis {axis}", "argmin", lambda x, a=axis: torch.argmin(x, a), {"x": Draw("argmin").distinct(2, 3, 4)},
               {"axis": axis, "keepDims": False}, grad=False)
        for op in ("cumsum", "cumprod"):
            g.case(f"{op}: axis {axis}", op, lambda x, o=op, a=axis: getattr(torch, o)(x, a), {"x": x}, {"axis": axis})
    zeros = f64(2, 0, 3, 1, 0, 0, 4, 5, 6).reshape(3, 3)
    g.case("prod: zeros among the factors", "prod", lambda x: torch.prod(x, 1), {"x": zeros}, {"axes": [1], "keepDims": False})
    g.case("prod: all", "prod", torch.prod, {"x": Draw("prod all").uniform(2, 3)}, {"axes": [], "keepDims": False})
    g.case("cumprod: zeros among the factors", "cumprod", lambda x: torch.cumprod(x, 1), {"x": zeros}, {"axis": 1})
    g.case("cumsum: integers", "cumsum", lambda x: torch.cumsum(x, 0), {"x": torch.tensor([1, -2, 5])}, {"axis": 0}, grad=False)
    g.case("argmin: NaN wins", "argmin", lambda x: torch.argmin(x, 0), {"x": f64(3, NAN, 1)}, {"axis": 0, "keepDims": False}, grad=False)
    for axes, keep in (([0], False), ([1, 2], True), ([-1], False)):
        g.case(f"logsumexp: axes {axes}", "logsumexp", lambda x, a=axes, k=keep: torch.logsumexp(x, a, keepdim=k),
               {"x": Draw("logsumexp").uniform(2, 3, 4)}, {"axes": axes, "keepDims": keep})
    g.case("logsumexp: large and infinite", "logsumexp", lambda x: torch.logsumexp(x, [1]),
           {"x": f64(800, 801, -INF, -INF, INF, 1).reshape(3, 2)}, {"axes": [1], "keepDims": False}, grad=False)
    return g


def pieces():
    g = GoldenFile("pieces")
    x = Draw("pieces").uniform(2, 5, 3)

    def one(name, op, function, x=x, **options):
        g.case(name, op, function, {"x": x}, options)

    one("split: of one size", "split", lambda x: torch.split(x, 2, 1), sizes=[2, 2, 1], size=2, axis=1)
    one("split: of several sizes", "splitSizes", lambda x: torch.split(x, [1, 0, 4], 1), sizes=[1, 0, 4], axis=1)
    for count in (2, 3, 4, 7):
        one(f"chunk: {count}", "chunk", lambda x, n=count: torch.chunk(x, n, 1), count=count, axis=1)
    one("flip: one axis", "flip", lambda x: torch.flip(x, [1]), axes=[1])
    one("flip: two axes", "flip", lambda x: torch.flip(x, [0, -1]), axes=[0, -1])
    one("roll: one axis", "roll", lambda x: torch.roll(x, 2, 1), shifts=[2], axes=[1])
    one("roll: two axes", "roll", lambda x: torch.roll(x, (-7, 1), (1, 2)), shifts=[-7, 1], axes=[1, 2])
    one("roll: all elements", "roll", lambda x: torch.roll(x, 4), shifts=[4], axes=[])
    one("repeat: inner axes", "repeat", lambda x: x.repeat(1, 2, 3), counts=[1, 2, 3])
    one("repeat: a new axis", "repeat", lambda x: x.repeat(2, 1, 1, 2), counts=[2, 1, 1, 2])
    one("repeat: none", "repeat", lambda x: x.repeat(1, 0, 1), counts=[1, 0, 1])
    one("repeatInterleave", "repeatInterleave", lambda x: torch.repeat_interleave(x, 3, 1), count=3, axis=1)
    for offset in (0, 1, -2, 3, -7):
        if offset != -7:
            one(f"diagonal: {offset}", "diagonal", lambda x, k=offset: torch.diagonal(x, k, 1, 2), offset=offset, a=1, b=2)
        one(f"triu: {offset}", "triu", lambda x, k=offset: torch.triu(x, k), offset=offset)
        one(f"tril: {offset}", "tril", lambda x, k=offset: torch.tril(x, k), offset=offset)
    one("diagonal: axes turned", "diagonal", lambda x: torch.diagonal(x, 1, 2, 0), offset=1, a=2, b=0)
    one("trace", "trace", torch.trace, x=Draw("trace").uniform(3, 4))
    one("diff", "diff", lambda x: torch.diff(x, dim=1), axis=1, times=1)
    one("diff: twice", "diff", lambda x: torch.diff(x, n=2, dim=1), axis=1, times=2)
    d = Draw("vectors")
    g.case("outer", "outer", torch.outer, {"a": d.uniform(2), "b": d.uniform(3)})
    vectors = {"a": d.uniform(2), "b": d.uniform(3)}
    g.case("meshgrid: ij", "meshgrid", lambda a, b: torch.meshgrid(a, b, indexing="ij"), vectors, {"xy": False}, grad=False)
    g.case("meshgrid: xy", "meshgrid", lambda a, b: torch.meshgrid(a, b, indexing="xy"), vectors, {"xy": True}, grad=False)
    return g


def indexing():
    g = GoldenFile("indexing")
    d = Draw("indexing")
    x = d.uniform(3, 4)
    g.case("gather: axis 0", "gather", lambda x, i: torch.gather(x, 0, i), {"x": x, "index": d.integers(2, 3, high=3)}, {"axis": 0})
    g.case("gather: axis -1", "gather", lambda x, i: torch.gather(x, -1, i), {"x": x, "index": d.integers(3, 6, high=4)}, {"axis": -1})
    g.case("index", "index", lambda x: x[1:, None, ::2], {"x": x}, {"rows": [1, 3], "columns": [0, 4, 2]})
    unique = torch.tensor([[2, 0, 1], [0, 3, 1]])
    source = d.uniform(2, 3)
    g.case("scatter", "scatter", lambda x, i, s: torch.scatter(x, 1, i, s), {"x": x, "index": unique, "source": source}, {"axis": 1})
    g.case("scatterAdd: repeated places", "scatterAdd", lambda x, i, s: torch.scatter_add(x, 1, i, s),
           {"x": x, "index": torch.tensor([[2, 2, 1], [0, 0, 0]]), "source": source}, {"axis": 1})
    for axis, index in ((0, [2, 0, 2]), (1, [3])):
        g.case(f"indexSelect: axis {axis}", "indexSelect", lambda x, i, a=axis: torch.index_select(x, a, i),
               {"x": x, "index": torch.tensor(index)}, {"axis": axis})
    g.case("indexSelect: by a matrix", "indexSelect", lambda x, i: x[:, i], {"x": x, "index": torch.tensor([[0, 3], [3, 1]])}, {"axis": 1})
    mask = torch.tensor([True, False, True, False])
    g.case("maskedFill", "maskedFill", lambda x, m: x.masked_fill(m, 2.5), {"x": x, "mask": mask}, {"value": 2.5})
    g.case("maskedSelect", "maskedSelect", torch.masked_select, {"x": x, "mask": mask})
    g.case("nonZero", "nonZero", torch.nonzero, {"x": d.integers(2, 2, 3, high=2)}, grad=False)
    g.case("oneHot", "oneHot", lambda i: torch.nn.functional.one_hot(i, 4), {"index": d.integers(2, 3)}, {"classes": 4}, grad=False)
    x = d.distinct(2, 5, 2)
    for axis, descending in ((1, False), (-1, True), (0, True)):
        options = {"axis": axis, "descending": descending}
        g.case(f"sort: axis {axis}", "sort", lambda x, a=axis, k=descending: torch.sort(x, a, k), {"x": x}, options)
        g.case(f"argsort: axis {axis}", "argsort", lambda x, a=axis, k=descending: torch.argsort(x, a, k), {"x": x}, options, grad=False)
    for descending in (False, True):
        g.case(f"sort: NaN and infinity, {'falling' if descending else 'rising'}", "sort",
               lambda x, k=descending: torch.sort(x, stable=True, dim=0, descending=k), {"x": f64(1, NAN, -INF, INF, NAN, 1, 0)},
               {"axis": 0, "descending": descending}, grad=False)
    for largest in (True, False):
        g.case(f"topk: {'largest' if largest else 'smallest'}", "topk", lambda x, k=largest: torch.topk(x, 3, 1, largest=k), {"x": x},
               {"count": 3, "axis": 1, "largest": largest})
    return g


def products():
    """Norms and Einstein's sums."""
    g = GoldenFile("products")
    x = Draw("norm").uniform(2, 3, 2)
    for p in (0.0, 0.5, 1.0, 2.0, 3.0, -1.0, INF, -INF):
        for axes, keep in (([1], False), ([0, 2], True)):
            g.case(f"norm: p {p:g}, axes {axes}", "norm", lambda x, p=p, a=axes, k=keep: torch.linalg.vector_norm(x, p, a, keepdim=k),
                   {"x": x}, {"p": str(p), "axes": axes, "keepDims": keep}, grad=p != 0)
    for p in (1.0, 2.0, 3.0):
        g.case(f"norm: gradient 0 at 0, p {p:g}", "norm", lambda x, p=p: torch.linalg.vector_norm(x, p, [1]),
               {"x": f64(0, 0, 0, 3).reshape(2, 2)}, {"p": str(p), "axes": [1], "keepDims": False})
    d = Draw("einsum")
    shapes = {"ik,kj->ij": ((2, 3), (3, 4)), "ik,kj": ((2, 3), (3, 4)), "ij->ji": ((2, 3),), "ii": ((3, 3),), "ii->i": ((3, 3),),
              "ij->": ((2, 3),), "bij,bjk->bik": ((2, 2, 3), (2, 3, 2)), "i,j->ij": ((2,), (3,)), "ij,jk,kl->il": ((2, 3), (3, 2), (2, 4)),
              "...ij,...jk->...ik": ((2, 2, 3), (3, 2)), "b...,b...->...": ((3, 2), (3, 2)), "ij,ij->j": ((3, 2), (3, 2)),
              "zA,Bz": ((2, 3), (4, 2)), "nchw,kc->nkhw": ((1, 2, 2, 2), (3, 2)), "bhid,bhjd->bhij": ((1, 2, 3, 2), (1, 2, 2, 2)),
              "iij,jk->ik": ((2, 2, 3), (3, 2)), "i,i->": ((3,), (1,)), "...->": ((2, 2),), " i j , j -> i ": ((2, 3), (3,))}
    for equation, sizes in shapes.items():
        names = "abc"[:len(sizes)]
        g.case(f"einsum: {equation}", "einsum", lambda *x, e=equation: torch.einsum(e, *x),
               {n: d.uniform(*s) for n, s in zip(names, sizes)}, {"equation": equation})
    return g


def files():
    return [functions(), lines(), pieces(), indexing(), products()]
