"""Golden values of what changes sizes: padding, transposed convolutions, pools beyond the plain ones, interpolation."""
import torch
import torch.nn.functional as F

from golden_file import Draw, GoldenFile

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
UNPOOL = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}
ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
ADAPTIVE_AVG = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


def flat(before, after):
    """Padding of the spatial axes as F.pad takes it."""
    return [side for pair in reversed(list(zip(before, after))) for side in pair]


def padding():
    g = GoldenFile("padding")

    def pad(name, shape, before, after, mode):
        g.case(f"pad {mode}: {name}", "padMode", lambda x: F.pad(x, flat(before, after), mode=mode),
               {"x": Draw(name).uniform(*shape)}, {"before": [0, 0, *before], "after": [0, 0, *after], "mode": mode})

    for mode in ("reflect", "replicate", "circular"):
        pad("sequences", (2, 2, 4), [2], [3], mode)
        pad("pictures", (1, 2, 3, 4), [2, 0], [1, 3], mode)
        pad("volumes", (1, 1, 2, 3, 3), [1, 2, 0], [0, 1, 2], mode)
    pad("further than the input", (1, 1, 2, 1), [3, 2], [5, 0], "replicate")
    pad("the whole input twice", (1, 1, 3), [3], [3], "circular")

    def conv(name, x, w, before, after, mode="zeros", stride=1):
        """F.pad and a convolution without padding."""
        rank = len(x) - 2
        d = Draw("padded" + name)
        torch_mode = "constant" if mode == "zeros" else mode
        g.case(f"conv{rank}d: {name}", "convPadded",
               lambda x, w: CONV[rank](F.pad(x, flat(before, after), mode=torch_mode), w, None, stride),
               {"x": d.uniform(*x), "w": d.uniform(*w)},
               {"before": before, "after": after, "mode": mode, "stride": [stride] * rank})

    conv("more behind than before", (2, 1, 4), (2, 1, 3), [0], [2])
    conv("other numbers on every side", (1, 2, 4, 3), (2, 2, 3, 3), [2, 0], [1, 1], stride=2)
    conv("Winograd's size, uneven", (1, 8, 5, 6), (8, 8, 3, 3), [1, 0], [0, 1])
    conv("reflected", (1, 1, 4, 4), (2, 1, 3, 3), [1, 1], [1, 1], "reflect")
    conv("circular", (1, 1, 4), (2, 1, 3), [1], [1], "circular")
    conv("replicated", (1, 1, 2, 3, 2), (1, 1, 2, 2, 3), [0, 1, 1], [1, 0, 1], "replicate", stride=2)

    def same(name, x, w, stride=1, dilation=1):
        """PyTorch's 'same' at stride 1; above the numbers of TensorFlow's rule, written out."""
        rank = len(x) - 2
        d = Draw("same" + name)

        def function(x, w):
            if stride == 1:
                return CONV[rank](x, w, None, 1, "same", dilation)
            total = [max((-(-n // stride) - 1) * stride + dilation * (k - 1) + 1 - n, 0)
                     for n, k in zip(x.shape[2:], w.shape[2:])]
            return CONV[rank](F.pad(x, flat([t // 2 for t in total], [t - t // 2 for t in total])), w, None, stride, 0, dilation)

        g.case(f"conv{rank}d, same: {name}", "convSame", function, {"x": d.uniform(*x), "w": d.uniform(*w)},
               {"stride": [stride] * rank, "dilation": [dilation] * rank})

    same("an even kernel", (1, 1, 5), (2, 1, 4))
    same("even and odd", (1, 1, 4, 5), (2, 1, 2, 3))
    same("dilation", (1, 1, 5, 4), (1, 1, 3, 2), dilation=2)
    same("stride 2", (1, 1, 5, 6), (2, 1, 3, 2), stride=2)
    same("stride larger than the kernel", (1, 1, 7), (1, 1, 2), stride=3)
    return g


def transposed():
    g = GoldenFile("transposed")

    def one(name, x, w, bias=True, **options):
        rank = len(x) - 2
        full = {"stride": [1] * rank, "padding": [0] * rank, "outputPadding": [0] * rank, "dilation": [1] * rank,
                "groups": 1, **options}
        d = Draw("transposed" + name)
        inputs = {"x": d.uniform(*x), "w": d.uniform(*w)}
        if bias:
            inputs["b"] = d.uniform(w[1] * full["groups"])
        g.case(f"convTranspose{rank}d: {name}", f"convTranspose{rank}d",
               lambda x, w, b=None: TRANSPOSED[rank](x, w, b, full["stride"], full["padding"], full["outputPadding"],
                                                     full["groups"], full["dilation"]), inputs, full)

    one("plain", (2, 2, 4), (2, 3, 3))
    one("every option", (1, 4, 3), (4, 1, 3), bias=False, stride=[2], padding=[1], outputPadding=[1], dilation=[2], groups=2)
    one("output padding above the stride", (1, 1, 3), (1, 2, 3), stride=[1], padding=[1], outputPadding=[2], dilation=[3])
    one("plain", (1, 2, 3, 3), (2, 3, 2, 2))
    one("twice the size", (1, 2, 3, 2), (2, 2, 4, 4), stride=[2, 2], padding=[1, 1])
    one("output padding", (1, 2, 2, 3), (2, 1, 3, 3), stride=[2, 3], padding=[1, 0], outputPadding=[1, 2])
    one("depthwise", (1, 3, 3, 3), (3, 1, 3, 3), padding=[1, 1], groups=3)
    one("groups, dilation", (1, 4, 3, 2), (4, 2, 3, 2), dilation=[2, 3], groups=2)
    one("Winograd's size", (1, 8, 4, 5), (8, 8, 3, 3), padding=[1, 1])
    one("plain", (1, 2, 2, 2, 2), (2, 1, 2, 2, 2))
    one("every option", (1, 2, 2, 1, 2), (2, 1, 2, 3, 2), stride=[1, 2, 2], padding=[1, 1, 0], outputPadding=[0, 1, 1],
        dilation=[2, 1, 1], groups=2)
    return g


def pools():
    g = GoldenFile("pools")

    def options(kernel, stride, pad, dilation, ceil, **more):
        rank = len(kernel)
        return {"kernel": kernel, "stride": stride or kernel, "padding": pad or [0] * rank, "dilation": dilation or [1] * rank,
                "ceilMode": ceil, **more}

    def maximum(name, x, kernel, stride=None, pad=None, dilation=None, ceil=False):
        rank = len(kernel)
        o = options(kernel, stride, pad, dilation, ceil)
        g.case(f"maxPool{rank}d: {name}", f"maxPool{rank}dWithIndices",
               lambda x: MAX[rank](x, o["kernel"], o["stride"], o["padding"], o["dilation"], ceil, True),
               {"x": Draw("max" + name).distinct(*x)}, o)

    maximum("indices", (2, 2, 6), [2])
    maximum("holes, ceil mode", (1, 2, 8), [3], [2], [1], [2], True)
    maximum("indices, padded", (1, 2, 5, 4), [3, 3], [2, 2], [1, 1])
    maximum("ceil mode", (1, 1, 5, 6), [2, 3], [2, 2], ceil=True)
    maximum("a last window that begins behind the end", (1, 1, 5, 5), [2, 2], [2, 2], [1, 1], ceil=True)
    maximum("holes", (1, 2, 6, 7), [3, 2], [1, 2], [1, 0], [2, 3])
    maximum("holes, ceil mode", (1, 1, 4, 5, 4), [2, 2, 3], [1, 2, 2], [0, 1, 1], [2, 1, 1], True)

    def average(name, x, kernel, stride=None, pad=None, ceil=True, include=True, divisor=None):
        rank = len(kernel)
        o = options(kernel, stride, pad, None, ceil, countIncludePad=include, divisor=divisor or 0)
        extra = {} if rank == 1 else {"divisor_override": divisor}
        function = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[rank]
        g.case(f"avgPool{rank}d: {name}", f"avgPool{rank}d",
               lambda x: function(x, kernel, o["stride"], o["padding"], ceil, include, **extra),
               {"x": Draw("avg" + name).uniform(*x)}, o)

    average("ceil mode", (1, 2, 6), [3], [2], [1])
    average("ceil mode", (1, 1, 5, 6), [2, 3], [2, 2], [1, 1])
    average("ceil mode, padding not counted", (1, 1, 5, 6), [2, 3], [2, 2], [1, 1], include=False)
    average("a divisor", (1, 1, 4, 5), [2, 3], [1, 2], [1, 1], ceil=False, divisor=5)
    average("a divisor, ceil mode", (1, 1, 3, 4, 3), [2, 2, 2], divisor=3)
    average("ceil mode", (1, 1, 3, 4, 5), [2, 3, 2], [2, 2, 2], [1, 1, 0])

    def adaptive(name, x, size):
        rank = len(size)
        torch_size = [n if n > 0 else None for n in size]
        d = Draw("adaptive" + name)
        g.case(f"adaptiveAvgPool{rank}d: {name}", f"adaptiveAvgPool{rank}d", lambda x: ADAPTIVE_AVG[rank](x, torch_size),
               {"x": d.uniform(*x)}, {"size": size})
        whole = [n if n > 0 else x[2 + i] for i, n in enumerate(size)]
        g.case(f"adaptiveMaxPool{rank}d: {name}", f"adaptiveMaxPool{rank}d",
               lambda x: ADAPTIVE_MAX[rank](x, whole, True), {"x": d.distinct(*x)}, {"size": size})

    adaptive("bins that overlap", (2, 2, 7), [3])
    adaptive("more bins than elements", (1, 2, 3), [5])
    adaptive("equal bins", (1, 2, 4, 6), [2, 3])
    adaptive("bins that overlap", (1, 2, 5, 7), [3, 2])
    adaptive("one axis kept", (1, 1, 5, 3), [2, -1])
    adaptive("one", (2, 2, 3, 5), [1, 1])
    adaptive("bins that overlap", (1, 1, 3, 5, 4), [2, 3, 3])
    for x in ((2, 3, 4), (2, 3, 2, 4), (1, 2, 2, 3, 2)):
        g.case(f"globalMaxPool: {list(x)}", "globalMaxPool", lambda x: x.flatten(2).max(2).values,
               {"x": Draw("globalMax").distinct(*x)})

    def lp(name, x, p, kernel, stride=None, ceil=False):
        rank = len(kernel)
        function = {1: F.lp_pool1d, 2: F.lp_pool2d}[rank]
        o = options(kernel, stride, None, None, ceil, p=p)
        k = kernel[0] if rank == 1 else kernel
        s = o["stride"][0] if rank == 1 else o["stride"]
        g.case(f"lpPool{rank}d: {name}", f"lpPool{rank}d", lambda x: function(x, p, k, s, ceil), {"x": Draw("lp").uniform(*x)}, o)

    lp("p = 2", (1, 2, 6), 2, [2])
    lp("p = 4, overlapping", (1, 1, 4, 5), 4, [2, 3], [1, 2])
    lp("p = 2", (1, 1, 4, 4), 2, [2, 2])
    g.case("lpPool3d: p = 2", "lpPool3d", lambda x: (F.avg_pool3d(x ** 2, 2, 2) * 8).sqrt(), {"x": Draw("lp3").uniform(1, 1, 2, 4, 2)},
           options([2, 2, 2], None, None, None, False, p=2))

    def unpool(name, x, kernel, size=None):
        """Of what a maximum pool of the whole numbers of x gives."""
        rank = len(x) - 2
        values, indices = MAX[rank](Draw("unpooled" + name).distinct(*x), kernel, return_indices=True)
        size = size or [n // kernel * kernel for n in x[2:]]
        torch.use_deterministic_algorithms(False)  # all places differ, so the order of writes does not matter
        g.case(f"maxUnpool{rank}d: {name}", f"maxUnpool{rank}d", lambda v, i: UNPOOL[rank](v, i, kernel, output_size=size),
               {"x": values.detach(), "indices": indices}, {"size": size})
        torch.use_deterministic_algorithms(True)

    unpool("kernel 2", (2, 2, 6), 2)
    unpool("kernel 2", (1, 2, 4, 6), 2)
    unpool("an output size", (1, 1, 5, 5), 2, [5, 5])
    unpool("kernel 2", (1, 1, 2, 4, 2), 2)
    return g


def resize():
    g = GoldenFile("resize")
    words = {"linear": {1: "linear", 2: "bilinear", 3: "trilinear"}, "cubic": {2: "bicubic"}}

    def one(name, x, mode, size=None, scale=None, align=False):
        rank = len(x) - 2
        word = words.get(mode, {}).get(rank, mode)
        corners = align if mode in words else None
        torch_scale = scale[0] if scale and len(scale) == 1 else scale
        g.case(f"interpolate {word}: {name}{', corners aligned' if align else ''}", "interpolate",
               lambda x: F.interpolate(x, size, torch_scale, word, corners), {"x": Draw("resize" + name).uniform(*x)},
               {"mode": word, "size": size or [], "scale": [float(s) for s in scale or []], "alignCorners": align})

    for mode in ("nearest", "nearest-exact", "linear"):
        one("sequences, more", (1, 2, 4), mode, [7])
        one("pictures, by 2", (1, 2, 2, 3), mode, scale=[2])
        one("pictures, fewer", (1, 1, 5, 7), mode, [2, 3])
        one("volumes", (1, 1, 2, 3, 2), mode, [3, 2, 4])
        one("scales", (1, 1, 5, 4), mode, scale=[1.7, 0.6])
    for mode in ("linear", "cubic"):
        one("more and fewer", (1, 2, 3, 5), mode, [5, 2], align=True)
        one("one", (1, 1, 3, 4), mode, [1, 1], align=True)
        one("scales of pictures", (1, 1, 4, 3), mode, scale=[1.6, 2.3], align=True)
    one("volumes", (1, 1, 2, 3, 2), "linear", [3, 2, 4], align=True)
    one("sequences", (2, 1, 4), "linear", [3], align=True)
    one("by 2", (1, 2, 3, 4), "cubic", scale=[2])
    one("fewer", (1, 1, 6, 5), "cubic", [3, 2])
    one("scales", (1, 1, 5, 4), "cubic", scale=[1.7, 0.6])
    for factor, x in ((2, (1, 8, 2, 3)), (3, (1, 9, 1, 2))):
        g.case(f"pixelShuffle: by {factor}", "pixelShuffle", lambda x, f=factor: F.pixel_shuffle(x, f),
               {"x": Draw("shuffle").uniform(*x)}, {"factor": factor})
    g.case("pixelUnshuffle: by 2", "pixelUnshuffle", lambda x: F.pixel_unshuffle(x, 2), {"x": Draw("unshuffle").uniform(1, 2, 4, 2)},
           {"factor": 2})
    return g


def files():
    return [padding(), transposed(), pools(), resize()]
