"""Golden values of the losses beside cross-entropy on labels, MSE and BCE of logits (generate_losses.py)."""
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

from golden_file import Draw, GoldenFile

REDUCTIONS = ("none", "mean", "sum")


def reductions(index):
    """All of them for the first set of options; what reduces is the same code for the others."""
    return REDUCTIONS if index == 0 else REDUCTIONS[:1]


def signs(d, *shape):
    return torch.where(d.uniform(*shape) > 0, 1.0, -1.0).to(torch.float64)


def class_losses(g):
    d = Draw("class losses")
    x, target = d.uniform(4, 3, low=-3, high=3), torch.tensor([2, 0, 1, 2])
    pictures, places = d.uniform(2, 3, 2, 2, low=-3, high=3), torch.tensor([[[0, 1], [2, 2]], [[1, 0], [0, 2]]])
    weight = torch.tensor([0.5, 2.0, 1.25], dtype=torch.float64)

    for r in REDUCTIONS:
        g.case(f"nll: plain, {r}", "nll", lambda x, t, r=r: F.nll_loss(x, t, reduction=r), {"x": x, "target": target}, {"reduction": r})
        g.case(f"nll: weights and an ignored class, {r}", "nll",
               lambda x, t, w, r=r: F.nll_loss(x, t, w, ignore_index=2, reduction=r),
               {"x": pictures, "target": places, "weight": weight}, {"reduction": r, "ignoreIndex": 2}, only=("x",))
    for p in (1, 2):
        for r in reductions(p - 1):
            g.case(f"multiMargin: p = {p}, {r}", "multiMargin",
                   lambda x, t, r=r, p=p: F.multi_margin_loss(x, t, p=p, margin=0.7, reduction=r), {"x": x, "target": target},
                   {"reduction": r, "p": p, "margin": 0.7})
            g.case(f"multiMargin: p = {p}, weights, {r}", "multiMargin",
                   lambda x, t, w, r=r, p=p: F.multi_margin_loss(x, t, p=p, weight=w, reduction=r),
                   {"x": x, "target": target, "weight": weight}, {"reduction": r, "p": p, "margin": 1.0}, only=("x",))
    soft = F.softmax(d.uniform(4, 3), 1).round(decimals=3)
    softPictures = F.softmax(d.uniform(2, 3, 2, 2), 1).round(decimals=3)
    for index, (data, name) in enumerate((((x, soft), "plain"), ((pictures, softPictures), "pictures"))):
        for r in reductions(index):
            g.case(f"crossEntropy: distributions, {name}, {r}", "crossEntropy",
                   lambda x, t, r=r: F.cross_entropy(x, t, reduction=r), {"x": data[0], "target": data[1]},
                   {"reduction": r, "labelSmoothing": 0.0})
            g.case(f"crossEntropy: distributions, {name}, all options, {r}", "crossEntropy",
                   lambda x, t, w, r=r: F.cross_entropy(x, t, w, label_smoothing=0.1, reduction=r),
                   {"x": data[0], "target": data[1], "weight": weight}, {"reduction": r, "labelSmoothing": 0.1}, only=("x", "target"))


def binary_losses(g):
    d = Draw("binary losses")
    p, t = d.uniform(2, 3, low=0.05, high=0.95), d.uniform(2, 3, low=0.05, high=0.95)
    weight, logits, hard = d.uniform(3, low=0.5, high=2), d.uniform(2, 3), (d.uniform(2, 3) > 0).to(torch.float64)
    masks, truth = d.uniform(2, 3, 2, 2, low=0.05, high=0.95), (d.uniform(2, 3, 2, 2) > 0).to(torch.float64)
    for r in REDUCTIONS:
        g.case(f"binaryCrossEntropy: plain, {r}", "binaryCrossEntropy", lambda x, t, r=r: F.binary_cross_entropy(x, t, reduction=r),
               {"x": p, "target": t}, {"reduction": r}, only=("x",))
        g.case(f"binaryCrossEntropy: weights, {r}", "binaryCrossEntropy",
               lambda x, t, w, r=r: F.binary_cross_entropy(x, t, w, reduction=r), {"x": p, "target": t, "weight": weight},
               {"reduction": r}, only=("x",))
        g.case(f"binaryCrossEntropyWithLogits: weights, {r}", "binaryCrossEntropyWithLogits",
               lambda x, t, w, v, r=r: F.binary_cross_entropy_with_logits(x, t, w, pos_weight=v, reduction=r),
               {"x": logits, "target": t, "weight": weight, "posWeight": torch.tensor([0.5, 1, 3], dtype=torch.float64)},
               {"reduction": r}, only=("x", "target"))
    for index, (alpha, gamma) in enumerate(((0.25, 2.0), (0.9, 0.5), (0.5, 0.0))):
        for r in reductions(index):
            g.case(f"focal: alpha {alpha:g}, gamma {gamma:g}, {r}", "focal",
                   lambda x, t, r=r, a=alpha, c=gamma: sigmoid_focal_loss(x, t, alpha=a, gamma=c, reduction=r),
                   {"x": logits, "target": hard}, {"reduction": r, "alpha": alpha, "gamma": gamma}, only=("x",))
    for squared in (True, False):
        for r in reductions(not squared):
            # Milletari et al. 2016, section 3: PyTorch has no dice loss.
            def dice(x, t, r=r, squared=squared):
                below = (x * x + t * t if squared else x + t).sum((2, 3))
                loss = 1 - (2 * (x * t).sum((2, 3)) + 0.1) / (below + 0.1)
                return loss if r == "none" else loss.mean() if r == "mean" else loss.sum()
            g.case(f"dice: {'squared' if squared else 'plain'}, {r}", "dice", dice, {"x": masks, "target": truth},
                   {"reduction": r, "smooth": 0.1, "squared": squared})
    ends = torch.tensor([0.0, 1.0, 0.0, 1.0, 1e-50], dtype=torch.float64)
    g.case("binaryCrossEntropy: the logarithm is cut off", "binaryCrossEntropy",
           lambda x, t: F.binary_cross_entropy(x, t, reduction="none"),
           {"x": ends, "target": torch.tensor([0.0, 1, 1, 0, 1], dtype=torch.float64)}, {"reduction": "none"}, grad=False)


def regression_losses(g):
    d = Draw("regression losses")
    x, y, v = d.uniform(2, 3), d.uniform(2, 3), d.uniform(2, 3, low=0.1, high=2)
    logs, p = F.log_softmax(d.uniform(2, 3), 1).round(decimals=3), F.softmax(d.uniform(2, 3), 1).round(decimals=3)
    p[1, 2] = 0
    counts = torch.tensor([[0.0, 1, 3], [4, 0, 2]], dtype=torch.float64)
    pair = {"x": x, "target": y}
    for r in REDUCTIONS:
        g.case(f"l1: {r}", "l1", lambda x, t, r=r: F.l1_loss(x, t, reduction=r), pair, {"reduction": r})
    for index, beta in enumerate((0.5, 1.0, 0.0)):
        for r in reductions(index):
            g.case(f"smoothL1: beta {beta:g}, {r}", "smoothL1", lambda x, t, r=r, b=beta: F.smooth_l1_loss(x, t, reduction=r, beta=b),
                   pair, {"reduction": r, "beta": beta})
    for index, delta in enumerate((0.5, 1.0)):
        for r in reductions(index):
            g.case(f"huber: delta {delta:g}, {r}", "huber", lambda x, t, r=r, b=delta: F.huber_loss(x, t, reduction=r, delta=b), pair,
                   {"reduction": r, "delta": delta})
    for r in REDUCTIONS:
        g.case(f"klDivergence: {r}", "klDivergence", lambda x, t, r=r: F.kl_div(x, t, reduction=r), {"x": logs, "target": p},
               {"reduction": r, "logTarget": False, "batchMean": False}, only=("x",))
        g.case(f"klDivergence: log target, {r}", "klDivergence", lambda x, t, r=r: F.kl_div(x, t, reduction=r, log_target=True),
               {"x": logs, "target": logs.flip(0)}, {"reduction": r, "logTarget": True, "batchMean": False})
    for log in (True, False):
        for full in (True, False):
            for r in reductions(not (log and full)):
                g.case(f"poissonNll: {'log ' if log else ''}input{', full' if full else ''}, {r}", "poissonNll",
                       lambda x, t, r=r, log=log, full=full: F.poisson_nll_loss(x, t, log_input=log, full=full, reduction=r),
                       {"x": x if log else v, "target": counts}, {"reduction": r, "logInput": log, "full": full}, only=("x",))
    for full in (True, False):
        for r in reductions(not full):
            g.case(f"gaussianNll:{' full,' if full else ''} {r}", "gaussianNll",
                   lambda x, t, v, r=r, full=full: F.gaussian_nll_loss(x, t, v, full=full, reduction=r), {**pair, "variance": v},
                   {"reduction": r, "full": full})
    g.case("klDivergence: batch mean", "klDivergence", lambda x, t: F.kl_div(x, t, reduction="batchmean"), {"x": logs, "target": p},
           {"reduction": "mean", "logTarget": False, "batchMean": True}, only=("x",))


def margin_losses(g):
    d = Draw("margin losses")
    x, y, t = d.uniform(2, 3), d.uniform(2, 3), signs(d, 2, 3)
    for index, margin in enumerate((1.0, 0.3)):
        for r in reductions(index):
            g.case(f"hingeEmbedding: margin {margin:g}, {r}", "hingeEmbedding",
                   lambda x, t, r=r, m=margin: F.hinge_embedding_loss(x, t, margin=m, reduction=r), {"x": x, "target": t},
                   {"reduction": r, "margin": margin}, only=("x",))
            g.case(f"marginRanking: margin {margin:g}, {r}", "marginRanking",
                   lambda a, b, t, r=r, m=margin: F.margin_ranking_loss(a, b, t, margin=m, reduction=r), {"a": x, "b": y, "target": t},
                   {"reduction": r, "margin": margin}, only=("a", "b"))
            g.case(f"cosineEmbedding: margin {margin - 0.5:g}, {r}", "cosineEmbedding",
                   lambda a, b, t, r=r, m=margin - 0.5: F.cosine_embedding_loss(a, b, t, margin=m, reduction=r),
                   {"a": x, "b": y, "target": t[:, 0]}, {"reduction": r, "margin": margin - 0.5}, only=("a", "b"))
    for r in REDUCTIONS:
        g.case(f"softMargin: {r}", "softMargin", lambda x, t, r=r: F.soft_margin_loss(x, t, reduction=r), {"x": x, "target": t},
               {"reduction": r}, only=("x",))
    for axis in (1, 0, -1):
        g.case(f"cosineSimilarity: axis {axis}", "cosineSimilarity", lambda a, b, k=axis: F.cosine_similarity(a, b, dim=k),
               {"a": x, "b": y}, {"axis": axis})
    g.case("cosineSimilarity: zero vectors", "cosineSimilarity", lambda a, b: F.cosine_similarity(a, b),
           {"a": torch.zeros(2, 3, dtype=torch.float64), "b": d.uniform(2, 3)}, {"axis": 1}, grad=False)


def files():
    g = GoldenFile("moreLosses")
    for add in (class_losses, binary_losses, regression_losses, margin_losses):
        add(g)
    return [g]
