"""Golden values of convolutions, pools and batch norm, for every number of axes."""
import torch
import torch.nn.functional as F

from golden_file import Draw, GoldenFile

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def convolution():
    g = GoldenFile("convolution")

    def one(name, x, w, bias=True, **options):
        rank = len(x) - 2
        full = {"stride": [1] * rank, "padding": [0] * rank, "dilation": [1] * rank, "groups": 1, **options}
        d = Draw("conv" + name)
        inputs = {"x": d.uniform(*x), "w": d.uniform(*w)}
        if bias:
            inputs["b"] = d.uniform(w[0])
        g.case(f"conv{rank}d: {name}", f"conv{rank}d",
               lambda x, w, b=None: CONV[rank](x, w, b, full["stride"], full["padding"], full["dilation"], full["groups"]),
               inputs, full)

    one("plain", (2, 2, 5), (3, 2, 3))
    one("stride, padding, dilation", (1, 2, 9), (2, 2, 3), stride=[2], padding=[2], dilation=[2])
    one("groups", (2, 4, 5), (2, 2, 2), bias=False, groups=2)
    one("depthwise", (1, 3, 6), (3, 1, 3), padding=[1], groups=3)
    one("kernel 1", (2, 3, 4), (2, 3, 1))
    one("kernel as long as the input", (2, 2, 4), (2, 2, 4))

    one("plain", (2, 2, 4, 4), (3, 2, 3, 3))
    one("no bias", (1, 1, 4, 5), (2, 1, 3, 3), bias=False)
    one("padding", (1, 2, 4, 4), (2, 2, 3, 3), padding=[1, 1])
    one("stride", (1, 2, 5, 5), (2, 2, 3, 3), stride=[2, 2], padding=[1, 1])
    one("dilation", (1, 2, 6, 5), (2, 2, 3, 2), dilation=[2, 3])
    one("every option differs per axis", (1, 2, 7, 6), (2, 2, 3, 2), stride=[2, 1], padding=[0, 2], dilation=[1, 2])
    one("groups", (1, 4, 4, 4), (4, 2, 3, 3), padding=[1, 1], groups=2)
    one("depthwise", (2, 3, 4, 4), (3, 1, 3, 3), padding=[1, 1], groups=3)
    one("depthwise, two filters a channel", (1, 2, 4, 4), (4, 1, 2, 2), groups=2)
    one("kernel 1", (2, 3, 3, 3), (4, 3, 1, 1))
    one("kernel 1, stride 2", (1, 3, 5, 4), (2, 3, 1, 1), stride=[2, 2])
    one("kernel 5", (1, 1, 6, 6), (2, 1, 5, 5), padding=[2, 2])
    one("rows that the stride leaves out", (1, 1, 6, 6), (1, 1, 3, 3), stride=[3, 3])
    one("padding as wide as the kernel allows", (1, 1, 3, 3), (1, 1, 2, 2), padding=[2, 3], stride=[2, 3])

    one("plain", (1, 2, 3, 3, 3), (2, 2, 2, 2, 2))
    one("stride, padding, dilation", (1, 1, 4, 5, 5), (2, 1, 2, 3, 2), stride=[1, 2, 2], padding=[1, 1, 0], dilation=[1, 2, 1])
    one("groups, no bias", (1, 2, 3, 3, 3), (2, 1, 3, 3, 3), bias=False, padding=[1, 1, 1], groups=2)
    return g


def pooling():
    g = GoldenFile("pooling")
    maximum = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
    average = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}

    def pool(name, x, kernel, stride=None, padding=None):
        rank = len(kernel)
        options = {"kernel": kernel, "stride": stride or kernel, "padding": padding or [0] * rank}
        k, s, p = options["kernel"], options["stride"], options["padding"]
        d = Draw("pool" + name)
        g.case(f"maxPool{rank}d: {name}", f"maxPool{rank}d", lambda x: maximum[rank](x, k, s, p), {"x": d.distinct(*x)}, options)
        for include in ((True, False) if padding else (True,)):
            what = "" if include else ", padding not counted"
            g.case(f"avgPool{rank}d: {name}{what}", f"avgPool{rank}d",
                   lambda x, i=include: average[rank](x, k, s, p, count_include_pad=i), {"x": d.uniform(*x)},
                   {**options, "countIncludePad": include})

    pool("kernel 2", (2, 2, 6), [2])
    pool("overlapping, padded", (1, 2, 7), [3], [2], [1])
    pool("kernel 2", (2, 2, 4, 4), [2, 2])
    pool("a rest that is left out", (1, 2, 5, 5), [2, 2])
    pool("overlapping, padded", (1, 2, 5, 6), [3, 3], [2, 2], [1, 1])
    pool("every option differs per axis", (1, 2, 6, 5), [3, 2], [1, 2], [1, 0])
    pool("kernel 2, stride 1", (1, 1, 3, 3), [2, 2], [1, 1])
    pool("the whole picture", (2, 2, 3, 3), [3, 3])
    pool("kernel 2", (1, 2, 4, 4, 4), [2, 2, 2])
    pool("overlapping, padded", (1, 1, 3, 4, 5), [2, 3, 3], [1, 2, 2], [1, 1, 1])
    same = torch.tensor([[[[1.0, 1, 2, 2], [1, 1, 2, 2]]]], dtype=torch.float64)
    g.case("maxPool2d: the first of equals takes the gradient", "maxPool2d", lambda x: F.max_pool2d(x, 2), {"x": same},
           {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]})
    g.case("maxPool2d: padding never wins", "maxPool2d", lambda x: F.max_pool2d(x, 2, 2, 1),
           {"x": Draw("negative").distinct(1, 1, 3, 3) - 5}, {"kernel": [2, 2], "stride": [2, 2], "padding": [1, 1]})
    nan = Draw("nan").distinct(1, 1, 4, 4)
    nan[0, 0, 1, 1] = float("nan")
    g.case("maxPool2d: NaN wins", "maxPool2d", lambda x: F.max_pool2d(x, 2), {"x": nan},
           {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]}, grad=False)
    for x in ((2, 3, 4), (2, 3, 2, 4), (1, 2, 2, 3, 2)):
        axes = list(range(2, len(x)))
        g.case(f"globalAvgPool: {list(x)}", "globalAvgPool", lambda x, a=axes: x.mean(a), {"x": Draw("global").uniform(*x)})
    return g


def batch_norm():
    """F.batch_norm in both modes; `runningMean` and `runningVar` after it are outputs 1 and 2. torch's momentum weighs the
    new value, which is ember's factor."""
    g = GoldenFile("batchNorm")
    shapes = {"[N, C]": (5, 3), "[N, C, L]": (2, 3, 3), "[N, C, H, W]": (2, 3, 2, 2), "[N, C, D, H, W]": (2, 2, 2, 2, 2)}
    for what, shape in shapes.items():
        for training in (True, False):
            for affine in (True, False):
                if not affine and len(shape) != 4:
                    continue
                d = Draw(f"batchNorm{what}{training}{affine}")
                c = shape[1]
                inputs = {"x": d.uniform(*shape), "runningMean": d.uniform(c), "runningVar": d.uniform(c, low=0.5, high=2)}
                if affine:
                    inputs.update(gamma=d.uniform(c), beta=d.uniform(c))

                def function(x, runningMean, runningVar, gamma=None, beta=None):
                    mean, var = runningMean.detach().clone(), runningVar.detach().clone()
                    return F.batch_norm(x, mean, var, gamma, beta, training, 0.1, 1e-5), mean, var

                g.case(f"batchNorm {what}: {'training' if training else 'evaluation'}{'' if affine else ', no gamma and beta'}",
                       "batchNorm", function, inputs, {"training": training, "factor": 0.1, "epsilon": 1e-5},
                       only=("x", "gamma", "beta"))
    d = Draw("epsilon")
    g.case("batchNorm: a large epsilon and factor", "batchNorm",
           lambda x, runningMean, runningVar, gamma, beta: batch_norm_large(x, runningMean, runningVar, gamma, beta),
           {"x": d.uniform(4, 2, 3), "runningMean": d.uniform(2), "runningVar": d.uniform(2, low=0.5), "gamma": d.uniform(2),
            "beta": d.uniform(2)}, {"training": True, "factor": 0.7, "epsilon": 0.5}, only=("x", "gamma", "beta"))
    return g


def batch_norm_large(x, running_mean, running_var, gamma, beta):
    mean, var = running_mean.detach().clone(), running_var.detach().clone()
    return F.batch_norm(x, mean, var, gamma, beta, True, 0.7, 0.5), mean, var


def files():
    return [convolution(), pooling(), batch_norm()]
