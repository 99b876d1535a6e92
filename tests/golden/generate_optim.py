"""Golden trajectories of optimisers and curves of learning-rate schedules."""
import warnings

import torch
from torch.optim import lr_scheduler

from golden_file import Draw, GoldenFile, tensor_json

STEPS = 10


def optimisers():
    """Two parameters under ten drawn gradients: their values after each step."""
    g = GoldenFile("optimisers")

    def one(kind, name, cls, options, **torch_options):
        draw = Draw("optimiser")  # one start and one set of gradients for all
        parameters = {"a": draw.uniform(2, 2), "b": draw.uniform(3)}
        leaves = {k: t.clone().requires_grad_() for k, t in parameters.items()}
        optimiser = cls(leaves.values(), **torch_options)
        record = {"name": f"{kind}: {name}", "op": kind, "options": options,
                  "parameters": {k: tensor_json(t) for k, t in parameters.items()}, "steps": []}
        for _ in range(STEPS):
            for leaf in leaves.values():
                leaf.grad = draw.uniform(*leaf.shape, low=-1, high=1)
            step = {"gradients": {k: leaf.grad.reshape(-1).tolist() for k, leaf in leaves.items()}}
            optimiser.step()
            step["after"] = {k: leaf.detach().reshape(-1).tolist() for k, leaf in leaves.items()}
            record["steps"].append(step)
        g.add(record)

    sgd, adam, adamw, rms = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop
    one("SGD", "plain", sgd, {"lr": 0.1}, lr=0.1)
    one("SGD", "weight decay", sgd, {"lr": 0.1, "weightDecay": 0.05}, lr=0.1, weight_decay=0.05)
    one("SGD", "momentum", sgd, {"lr": 0.1, "momentum": 0.9}, lr=0.1, momentum=0.9)
    one("SGD", "momentum and dampening", sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}, lr=0.1, momentum=0.9, dampening=0.3)
    one("SGD", "Nesterov", sgd, {"lr": 0.1, "momentum": 0.8, "nesterov": True}, lr=0.1, momentum=0.8, nesterov=True)
    one("SGD", "Nesterov and weight decay", sgd, {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weightDecay": 0.02},
        lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.02)
    for kind, cls in {"Adam": adam, "AdamW": adamw}.items():
        one(kind, "plain", cls, {"lr": 0.01, "weightDecay": 0.0}, lr=0.01, weight_decay=0.0)
        one(kind, "weight decay", cls, {"lr": 0.02, "weightDecay": 0.1}, lr=0.02, weight_decay=0.1)
        one(kind, "betas and epsilon", cls, {"lr": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weightDecay": 0.0},
            lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.0)
    one("AdamW", "weight decay of 0.01 unless said otherwise", adamw, {"lr": 0.05}, lr=0.05)
    one("Adam", "no weight decay unless said otherwise", adam, {"lr": 0.05}, lr=0.05)
    one("RMSProp", "plain", rms, {"lr": 0.01}, lr=0.01)
    one("RMSProp", "weight decay", rms, {"lr": 0.01, "weightDecay": 0.1}, lr=0.01, weight_decay=0.1)
    one("RMSProp", "momentum", rms, {"lr": 0.01, "momentum": 0.9, "alpha": 0.9}, lr=0.01, momentum=0.9, alpha=0.9)
    one("RMSProp", "centred", rms, {"lr": 0.01, "centered": True, "epsilon": 1e-4}, lr=0.01, centered=True, eps=1e-4)
    return g


def schedules():
    """The learning rate of every step, the first being step 0; `base` is the rate that the schedule starts from."""
    g = GoldenFile("schedules")
    warnings.simplefilter("ignore")  # the optimiser itself never steps here

    def one(name, op, base, steps, options, make):
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
        schedule = make(optimiser)
        rates = []
        for i in range(steps):
            rates.append(optimiser.param_groups[0]["lr"])
            if i + 1 < steps:
                schedule.step()
        g.add({"name": name, "op": op, "base": base, "options": options, "rates": rates})

    one("constant", "constant", 0.1, 4, {}, lambda o: lr_scheduler.LambdaLR(o, lambda _: 1.0))
    one("step", "step", 0.1, 12, {"every": 3, "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 3, 0.5))
    one("multi-step", "multiStep", 0.1, 12, {"milestones": [2, 5, 6], "gamma": 0.1},
        lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 6], 0.1))
    one("exponential", "exponential", 0.1, 10, {"gamma": 0.9}, lambda o: lr_scheduler.ExponentialLR(o, 0.9))
    one("cosine", "cosine", 0.1, 11, {"steps": 10, "floor": 0.0}, lambda o: lr_scheduler.CosineAnnealingLR(o, 10))
    one("cosine to a minimum", "cosine", 0.1, 9, {"steps": 8, "floor": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, 8, 0.01))
    one("linear warm-up", "warmUp", 0.1, 8, {"steps": 4, "start": 0.25}, lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 4))
    one("linear warm-up, then cosine", "warmUpCosine", 0.1, 13, {"steps": 4, "start": 0.1, "cosineSteps": 8},
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 4), lr_scheduler.CosineAnnealingLR(o, 8)], [4]))
    for total, start, div, final in ((20, 0.3, 25.0, 1e4), (15, 0.25, 10.0, 100.0), (10, 0.5, 4.0, 50.0)):
        one(f"one-cycle, {total} steps, {start:g} of them up", "oneCycle", 0.5, total,
            {"steps": total, "warmUp": start, "startDivisor": div, "finalDivisor": final},
            lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=total, pct_start=start, div_factor=div, final_div_factor=final,
                                              cycle_momentum=False))
    for steps, start_, end in ((6, 0.25, 1.0), (5, 1.0, 0.1)):
        one(f"linear from {start_:g} to {end:g}", "linear", 0.1, 9, {"steps": steps, "start": start_, "end": end},
            lambda o, n=steps, a=start_, b=end: lr_scheduler.LinearLR(o, a, b, n))
    for power in (1.0, 2.0, 0.5):
        one(f"polynomial, power {power:g}", "polynomial", 0.1, 9, {"steps": 6, "power": power, "floor": 0.0},
            lambda o, p=power: lr_scheduler.PolynomialLR(o, 6, p))
    for first, multiplier, floor in ((4, 1, 0.0), (3, 2, 0.1)):
        one(f"cosine with restarts after {first}, times {multiplier}", "cosineRestarts", 0.1, 24,
            {"first": first, "multiplier": multiplier, "floor": floor},
            lambda o, n=first, m=multiplier, f=floor: lr_scheduler.CosineAnnealingWarmRestarts(o, n, m, 0.1 * f))
    for mode, up, down, gamma in (("triangular", 3, 3, 1.0), ("triangular2", 2, 5, 1.0), ("exp_range", 4, 3, 0.95)):
        one(f"cyclic, {mode}", "cyclic", 1.0, 24, {"up": up, "down": down, "low": 0.2, "mode": mode, "gamma": gamma},
            lambda o, m=mode, u=up, d=down, c=gamma: lr_scheduler.CyclicLR(o, 0.2, 1.0, u, d, m, c, cycle_momentum=False))
    one("chained: a linear rise times an exponential fall", "chained", 0.1, 12, {},
        lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.LinearLR(o, 0.25, 1.0, 4), lr_scheduler.ExponentialLR(o, 0.9)]))
    one("sequential: three curves", "sequential", 0.1, 14, {"milestones": [4, 9]},
        lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.LinearLR(o, 0.25, 1.0, 4), lr_scheduler.CosineAnnealingLR(o, 8),
                                                lr_scheduler.ExponentialLR(o, 0.5)], [4, 9]))
    one("lambda", "lambda", 0.1, 8, {}, lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)))
    return g


def plateau():
    """The factor behind each metric; eps, the least change that PyTorch makes, is 0."""
    g = GoldenFile("plateau")

    def one(name, options, metrics, **torch_options):
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        schedule = lr_scheduler.ReduceLROnPlateau(optimiser, eps=0, **torch_options)
        factors = []
        for metric in metrics:
            schedule.step(metric)
            factors.append(optimiser.param_groups[0]["lr"])
        g.add({"name": name, "options": options, "metrics": metrics, "factors": factors})

    falling = [3.0, 2.5, 2.4, 2.41, 2.4, 2.42, 2.5, 2.3, 2.31, 2.35, 2.4, 2.3, 2.29, 2.3, 2.3, 2.3, 2.3, 2.3, 2.3, 2.3]
    one("patience", {"factor": 0.5, "patience": 2}, falling, factor=0.5, patience=2)
    one("threshold, cooldown, least factor", {"factor": 0.1, "patience": 1, "threshold": 0.05, "cooldown": 2, "minFactor": 0.005},
        falling, factor=0.1, patience=1, threshold=0.05, cooldown=2, min_lr=0.005)
    one("absolute threshold", {"factor": 0.5, "patience": 0, "threshold": 0.2, "relative": False}, falling, factor=0.5, patience=0,
        threshold=0.2, threshold_mode="abs")
    one("an accuracy", {"factor": 0.5, "patience": 1, "maximize": True}, [1 - 0.2 * m for m in falling], factor=0.5, patience=1,
        mode="max")
    return g


def clipping():
    """clip_grad_norm_ and clip_grad_value_: gradients before and after, and the norm that was returned."""
    g = GoldenFile("clipping")

    def one(name, op, options, function, parameters):
        for p in parameters.values():
            p.grad = p.detach().clone()
        before = {k: tensor_json(p.grad) for k, p in parameters.items()}
        result = function(list(parameters.values()))
        record = {"name": name, "op": op, "options": options, "before": before,
                  "after": {k: tensor_json(p.grad) for k, p in parameters.items()}}
        if result is not None:
            record["norm"] = float(result)
        g.add(record)

    def leaves():
        draw = Draw("clipping")
        return {"a": draw.uniform(2, 2).requires_grad_(), "b": draw.uniform(3).requires_grad_()}

    for limit in (1.0, 100.0):
        one(f"by norm {limit:g}", "norm", {"max": limit}, lambda p, m=limit: torch.nn.utils.clip_grad_norm_(p, m), leaves())
    one("by value", "value", {"max": 0.5}, lambda p: torch.nn.utils.clip_grad_value_(p, 0.5), leaves())
    return g


def files():
    return [optimisers(), schedules(), plateau(), clipping()]
