"""Golden values of layers with their state, of batch norm over several batches, of initialisers, and of nets that train."""
from unittest import mock

import torch
from torch import nn

from golden_file import Draw, GoldenFile, tensor_json


def fill(module, draw):
    """Parameters with few decimals, so a golden file gives them exactly."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            # The scales of batch norm stay away from 0.
            low, high = (0.5, 1.5) if "norm" in name and name.endswith("weight") else (-0.6, 0.6)
            p.copy_(draw.uniform(*p.shape, low=low, high=high))


def state(module):
    return {k: tensor_json(v) for k, v in module.state_dict().items()}


def run(module, x, draw):
    """Output, and the gradients of the input and the parameters for a drawn gradient of the output."""
    x = x.clone().requires_grad_(x.is_floating_point())
    module.zero_grad()
    y = module(x)
    upstream = draw.uniform(*y.shape)
    y.backward(upstream)
    gradients = {name: tensor_json(p.grad) for name, p in module.named_parameters()}
    record = {"x": tensor_json(x), "y": tensor_json(y), "yGradient": tensor_json(upstream)}
    if x.requires_grad:
        record["xGradient"] = tensor_json(x.grad)
    return {**record, "gradients": gradients}


def layer_record(name, module, *shape, training=True, x=None):
    """State before, one run, and state after; the input is drawn of that shape unless given."""
    draw = Draw("layer " + name)
    module = module.double().train(training)
    fill(module, draw)
    before = state(module)
    record = {"name": name, "state": before, **run(module, draw.distinct(*shape) if x is None else x, draw),
              "stateAfter": state(module)}
    if not training:
        record["training"] = False
    if not before:
        for key in ("state", "stateAfter", "gradients"):
            del record[key]
    return record


def layers():
    """One record a layer: one run in training mode."""
    g = GoldenFile("layers")

    def one(layer, module, *shape):
        g.add(layer_record(layer, module, *shape))

    one("Linear", nn.Linear(3, 2), 4, 3)
    one("Linear without bias", nn.Linear(3, 2, bias=False), 2, 3)
    one("Conv1D", nn.Conv1d(2, 3, 3, stride=2, padding=1), 2, 2, 5)
    one("Conv2D", nn.Conv2d(2, 3, 3, padding=1), 1, 2, 4, 4)
    one("Conv2D with every option",
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False), 1, 2, 5, 4)
    one("Conv3D", nn.Conv3d(1, 2, 2), 1, 1, 3, 3, 3)
    one("Conv1D of the same size", nn.Conv1d(2, 1, 4, padding="same"), 1, 2, 5)
    one("Conv2D reflected", nn.Conv2d(1, 2, 3, padding=(1, 2), padding_mode="reflect", bias=False), 1, 1, 3, 4)
    one("Conv2D circular", nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular", stride=2), 1, 1, 4, 3)
    one("Conv3D replicated", nn.Conv3d(1, 1, 2, padding=(1, 0, 1), padding_mode="replicate"), 1, 1, 2, 2, 3)
    one("ConvTranspose1D", nn.ConvTranspose1d(2, 3, 3, stride=2, padding=1), 2, 2, 3)
    one("ConvTranspose2D", nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1), 1, 2, 3, 2)
    one("ConvTranspose2D with every option",
        nn.ConvTranspose2d(4, 2, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2, bias=False,
                           dilation=(1, 2)), 1, 4, 2, 2)
    one("ConvTranspose3D", nn.ConvTranspose3d(1, 2, 2, stride=(1, 2, 1)), 1, 1, 2, 2, 2)
    one("MaxPool1D", nn.MaxPool1d(2), 1, 2, 5)
    one("MaxPool2D with holes", nn.MaxPool2d(3, stride=2, padding=1, dilation=2, ceil_mode=True), 1, 2, 6, 7)
    one("AvgPool2D in ceil mode", nn.AvgPool2d(3, stride=2, ceil_mode=True, divisor_override=5), 1, 1, 4, 6)
    one("AdaptiveAvgPool1D", nn.AdaptiveAvgPool1d(3), 1, 2, 5)
    one("AdaptiveAvgPool2D", nn.AdaptiveAvgPool2d((2, None)), 1, 2, 5, 3)
    one("AdaptiveAvgPool3D", nn.AdaptiveAvgPool3d((1, 2, 3)), 1, 1, 2, 3, 5)
    one("AdaptiveMaxPool1D", nn.AdaptiveMaxPool1d(3), 1, 2, 5)
    one("AdaptiveMaxPool2D", nn.AdaptiveMaxPool2d((2, None)), 1, 2, 5, 3)
    one("AdaptiveMaxPool3D", nn.AdaptiveMaxPool3d((1, 2, 3)), 1, 1, 2, 3, 5)
    one("GlobalMaxPool", nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()), 2, 3, 3, 2)
    one("Upsample", nn.Upsample(scale_factor=2), 1, 2, 2, 3)
    one("Upsample bilinear", nn.Upsample(size=(5, 3), mode="bilinear", align_corners=True), 1, 2, 3, 4)
    one("Upsample bicubic", nn.Upsample(scale_factor=(1.5, 2.0), mode="bicubic"), 1, 1, 4, 3)
    one("PixelShuffle", nn.PixelShuffle(2), 1, 4, 2, 3)
    one("PixelUnshuffle", nn.PixelUnshuffle(2), 1, 1, 4, 2)
    one("MaxPool2D", nn.MaxPool2d(3, stride=2, padding=1), 1, 2, 5, 5)
    one("MaxPool3D", nn.MaxPool3d(2), 1, 1, 2, 4, 4)
    one("AvgPool1D", nn.AvgPool1d(2), 1, 2, 5)
    one("AvgPool2D", nn.AvgPool2d(3, stride=2, padding=1), 1, 2, 5, 5)
    one("AvgPool2D without padding in the mean", nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), 1, 2, 5, 5)
    one("AvgPool3D", nn.AvgPool3d(2), 1, 1, 2, 4, 4)
    one("GlobalAvgPool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), 2, 3, 3, 2)
    one("ReLU", nn.ReLU(), 2, 3)
    one("LeakyReLU", nn.LeakyReLU(0.2), 2, 3)
    one("Sigmoid", nn.Sigmoid(), 2, 3)
    one("Tanh", nn.Tanh(), 2, 3)
    one("GELU", nn.GELU(), 2, 3)
    one("GELU by tanh", nn.GELU(approximate="tanh"), 2, 3)
    one("SiLU", nn.SiLU(), 2, 3)
    one("Softmax", nn.Softmax(1), 2, 3)
    one("LogSoftmax", nn.LogSoftmax(1), 2, 3)
    one("Flatten", nn.Flatten(), 2, 3, 2, 2)
    one("Identity", nn.Identity(), 2, 3)
    one("Dropout of nothing", nn.Dropout(0.0), 2, 3)
    return g


def batch_norm_layers():
    """Three training batches of different sizes with gradients, then one in evaluation. `factor` is the weight of the new
    statistics (torch's momentum); null: 1/n, the mean over the batches."""
    g = GoldenFile("batchNormLayers")
    kinds = {"BatchNorm1D [N, C]": (nn.BatchNorm1d, (3,)), "BatchNorm1D [N, C, L]": (nn.BatchNorm1d, (3, 2)),
             "BatchNorm2D": (nn.BatchNorm2d, (2, 2, 2)), "BatchNorm3D": (nn.BatchNorm3d, (2, 1, 2, 2))}

    def one(name, module, shape, **options):
        module = module.double()
        draw = Draw("batchNormLayer" + name)
        with torch.no_grad():
            for key, p in module.named_parameters():
                p.copy_(draw.uniform(*p.shape, low=0.5 if key == "weight" else -1, high=1.5))
        batches = []
        record = {"name": name, "options": options, "state": state(module)}
        for n in (4, 3, 5):
            batches.append({**run(module, draw.uniform(n, *shape), draw), "stateAfter": state(module)})
        module.eval()
        batches.append({**run(module, draw.uniform(2, *shape), draw), "stateAfter": state(module)})
        record["batches"] = batches
        g.add(record)

    for name, (kind, shape) in kinds.items():
        one(name, kind(shape[0]), shape, factor=0.1, epsilon=1e-5, affine=True)
    one("BatchNorm2D: factor 0.3, epsilon 0.01", nn.BatchNorm2d(2, eps=0.01, momentum=0.3), (2, 2, 2), factor=0.3,
        epsilon=0.01, affine=True)
    one("BatchNorm2D: mean over the batches", nn.BatchNorm2d(2, momentum=None), (2, 2, 2), factor=None, epsilon=1e-5, affine=True)
    one("BatchNorm2D: not affine", nn.BatchNorm2d(2, affine=False), (2, 2, 2), factor=0.1, epsilon=1e-5, affine=False)
    return g


def initialisers():
    """The arguments with which torch.nn.init draws: bound of the uniform, standard deviation of the normal distribution."""
    g = GoldenFile("initialisers")

    def catch(function, shape, **options):
        """Calls an initialiser with uniform_ and normal_ replaced by functions that note their arguments."""
        caught = {}

        def uniform(tensor, low, high):
            assert low == -high
            caught["bound"] = high
            return tensor

        def normal(tensor, mean, std):
            assert mean == 0
            caught["std"] = std
            return tensor

        with mock.patch.object(torch.Tensor, "uniform_", uniform), mock.patch.object(torch.Tensor, "normal_", normal):
            function(torch.empty(shape, dtype=torch.float64), **options)
        return caught

    kaiming = {"kaimingUniform": nn.init.kaiming_uniform_, "kaimingNormal": nn.init.kaiming_normal_}
    for shape in ((4, 3), (8, 4, 3, 3), (6, 2, 5), (4, 1, 2, 3, 2)):
        for mode in ("fan_in", "fan_out"):
            for slope in (0.0, 0.2, 5 ** 0.5):
                for op, function in kaiming.items():
                    g.add({"name": f"{op} {list(shape)} {mode} slope {slope:.3g}", "op": op, "shape": list(shape),
                           "options": {"fanOut": mode == "fan_out", "slope": slope},
                           **catch(function, shape, a=slope, mode=mode, nonlinearity="leaky_relu")})
        for gain in (1.0, nn.init.calculate_gain("relu"), nn.init.calculate_gain("tanh")):
            for op, function in {"xavierUniform": nn.init.xavier_uniform_, "xavierNormal": nn.init.xavier_normal_}.items():
                g.add({"name": f"{op} {list(shape)} gain {gain:.3g}", "op": op, "shape": list(shape), "options": {"gain": gain},
                       **catch(function, shape, gain=gain)})
    return g


class Residual(nn.Module):
    """The residual block of the tests' C++ side, between two outer layers."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(3)
        self.conv1 = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(3)
        self.conv2 = nn.Conv2d(3, 3, 3, padding=1)
        self.head = nn.Linear(3, 3)

    def forward(self, x):
        x = torch.relu(self.norm1(self.stem(x)))
        y = self.conv2(torch.relu(self.norm2(self.conv1(x))))
        return self.head(torch.relu(x + y).mean((2, 3)))


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.fc = nn.Linear(3 * 2 * 2, 3)

    def forward(self, x):
        return self.fc(torch.max_pool2d(torch.relu(self.norm(self.conv(x))), 2).flatten(1))


def training():
    """Whole nets trained for some steps: the loss of every step, the state at the end, the output in evaluation."""
    g = GoldenFile("training")

    def one(name, net, optimiser, steps, smoothing):
        draw = Draw("training" + name)
        net = net.double()
        fill(net, draw)
        step = optimiser(net.parameters())
        x, target = draw.distinct(6, 1, 4, 4, step=0.02), draw.integers(6, high=3)
        record = {"name": name, "state": state(net), "x": tensor_json(x), "target": tensor_json(target), "losses": []}
        for _ in range(steps):
            loss = nn.functional.cross_entropy(net(x), target, label_smoothing=smoothing)
            step.zero_grad()
            loss.backward()
            step.step()
            record["losses"].append(loss.item())
        net.eval()
        with torch.no_grad():
            record.update(stateAfter=state(net), y=tensor_json(net(x)))
        g.add(record)

    one("plain, SGD with Nesterov momentum and weight decay", Plain(),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4), 6, 0.0)
    one("residual, AdamW and label smoothing", Residual(), lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.05), 6, 0.1)
    return g


def files():
    return [layers(), batch_norm_layers(), initialisers(), training()]
