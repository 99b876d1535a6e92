"""Golden values of the losses."""
import torch
import torch.nn.functional as F

from golden_file import Draw, GoldenFile


def cross_entropy(g):
    d = Draw("crossEntropy")
    plain = (d.uniform(4, 3, low=-3, high=3), torch.tensor([2, 0, 1, 2]))
    spatial = (d.uniform(2, 3, 2, 2, low=-3, high=3), torch.tensor([[[0, 1], [2, 2]], [[1, 0], [0, 2]]]))
    sequence = (d.uniform(2, 3, 4, low=-3, high=3), torch.tensor([[0, 1, 2, 2], [1, 0, 0, 2]]))
    weights = torch.tensor([0.5, 2.0, 1.25], dtype=torch.float64)

    def one(name, data, weight=None, ignore=None, smoothing=0.0, reduction="mean"):
        x, target = data
        inputs = {"x": x, "target": target}
        if weight is not None:
            inputs["weight"] = weight
        options = {"labelSmoothing": smoothing, "reduction": reduction}
        if ignore is not None:
            options["ignoreIndex"] = ignore
        g.case(f"crossEntropy: {name}", "crossEntropy",
               lambda x, target, weight=None: F.cross_entropy(x, target, weight, ignore_index=-100 if ignore is None else ignore,
                                                              reduction=reduction, label_smoothing=smoothing),
               inputs, options, only=("x",))

    for reduction in ("mean", "sum", "none"):
        one(f"plain, {reduction}", plain, reduction=reduction)
        one(f"label smoothing, {reduction}", plain, smoothing=0.1, reduction=reduction)
        one(f"class weights, {reduction}", plain, weight=weights, reduction=reduction)
        one(f"ignored class, {reduction}", plain, ignore=2, reduction=reduction)
        one(f"all options, {reduction}", plain, weight=weights, ignore=0, smoothing=0.2, reduction=reduction)
        one(f"pictures, all options, {reduction}", spatial, weight=weights, ignore=2, smoothing=0.1, reduction=reduction)
    one("label smoothing and class weights", plain, weight=weights, smoothing=0.1)
    one("label smoothing and ignored class", plain, ignore=2, smoothing=0.1)
    one("pictures", spatial)
    one("sequences", sequence)
    one("sequences, class weights", sequence, weight=weights)
    one("ignored index -1", (plain[0], torch.tensor([2, -1, 1, -1])), ignore=-1)
    one("large logits", (torch.tensor([[1000.0, 0, -1000], [5, 1000, 999]], dtype=torch.float64), torch.tensor([2, 1])))
    one("smoothing 1", plain, smoothing=1.0)


def losses():
    g = GoldenFile("losses")
    cross_entropy(g)
    d = Draw("losses")
    x, y = d.uniform(2, 3), d.uniform(2, 3)
    probabilities = d.uniform(2, 3, low=0.05, high=0.95)
    for reduction in ("mean", "sum", "none"):
        g.case(f"mse: {reduction}", "mse", lambda x, target, r=reduction: F.mse_loss(x, target, reduction=r),
               {"x": x, "target": y}, {"reduction": reduction})
        g.case(f"binaryCrossEntropyWithLogits: {reduction}", "binaryCrossEntropyWithLogits",
               lambda x, target, r=reduction: F.binary_cross_entropy_with_logits(x, target, reduction=r),
               {"x": x, "target": probabilities}, {"reduction": reduction})
    op = "binaryCrossEntropyWithLogits"
    g.case(f"{op}: weight of the positive class", op,
           lambda x, target, posWeight: F.binary_cross_entropy_with_logits(x, target, pos_weight=posWeight),
           {"x": x, "target": probabilities, "posWeight": torch.tensor([0.5, 1, 3], dtype=torch.float64)}, {"reduction": "mean"},
           only=("x", "target"))
    g.case(f"{op}: large logits", op, lambda x, target: F.binary_cross_entropy_with_logits(x, target),
           {"x": torch.tensor([500.0, -500, 500, -500], dtype=torch.float64),
            "target": torch.tensor([1.0, 0, 0, 1], dtype=torch.float64)},
           {"reduction": "mean"}, only=("x",))
    return g


def files():
    return [losses()]
