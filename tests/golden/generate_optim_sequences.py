"""A hundred steps of each optimiser on a small net in f64: its weights after the tenth and the last step."""
import torch

from golden_file import Draw, GoldenFile, tensor_json

STEPS = (10, 100)


# What PyTorch has not, from the papers, and what 1.13 has wrong.
class NAdam(torch.optim.Optimizer):
    """torch.optim.NAdam of PyTorch 2.0 and later: 1.13 multiplies mu_t twice into the product for the next step, and keeps the
    product in f32."""

    def __init__(self, parameters, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3):
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "decay": momentum_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (beta1, beta2), lr, decay = group["betas"], group["lr"], group["decay"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(step=0, mu_product=1.0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                state["step"] += 1
                step, g = state["step"], p.grad + group["weight_decay"] * p
                mu = beta1 * (1.0 - 0.5 * (0.96 ** (step * decay)))
                mu_next = beta1 * (1.0 - 0.5 * (0.96 ** ((step + 1) * decay)))
                state["mu_product"] *= mu
                state["m"].mul_(beta1).add_(g, alpha=1 - beta1)
                state["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
                denom = state["v"].div(1 - beta2 ** step).sqrt().add_(group["eps"])
                p.addcdiv_(g, denom, value=-lr * (1.0 - mu) / (1.0 - state["mu_product"]))
                p.addcdiv_(state["m"], denom, value=-lr * mu_next / (1.0 - state["mu_product"] * mu_next))


class SMORMS3(torch.optim.Optimizer):
    """Funk 2015, the update of his post line by line."""

    def __init__(self, parameters, lr, eps=1e-16):
        super().__init__(parameters, {"lr": lr, "eps": eps})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(mem=torch.ones_like(p), g=torch.zeros_like(p), g2=torch.zeros_like(p))
                r = 1 / (state["mem"] + 1)
                state["g"] = (1 - r) * state["g"] + r * p.grad
                state["g2"] = (1 - r) * state["g2"] + r * p.grad ** 2
                x = state["g"] ** 2 / (state["g2"] + group["eps"])
                state["mem"] = 1 + state["mem"] * (1 - x)
                p -= p.grad * torch.clamp(x, max=group["lr"]) / (torch.sqrt(state["g2"]) + group["eps"])


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, program 1."""

    def __init__(self, parameters, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = torch.sign(beta1 * m + (1 - beta1) * p.grad) + group["weight_decay"] * p
                p -= group["lr"] * update
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


class RMSPropInside(torch.optim.Optimizer):
    """RMSProp with epsilon inside the root, as tf.keras.optimizers.RMSprop has it (without momentum)."""

    def __init__(self, parameters, lr, alpha, eps, centered):
        super().__init__(parameters, {"lr": lr, "alpha": alpha, "eps": eps, "centered": centered})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state, alpha = self.state[p], group["alpha"]
                if not state:
                    state.update(square=torch.zeros_like(p), mean=torch.zeros_like(p))
                state["square"] = alpha * state["square"] + (1 - alpha) * p.grad ** 2
                state["mean"] = alpha * state["mean"] + (1 - alpha) * p.grad
                variance = state["square"] - (state["mean"] ** 2 if group["centered"] else 0)
                p -= group["lr"] * p.grad / torch.sqrt(variance + group["eps"])


def sequences():
    # Rates at which a change of 1e-15 in the beginning stays one of that order: others make a rounding a difference.
    g = GoldenFile("optimSequences")
    draw = Draw("optimiser sequences")
    start = {"w1": draw.uniform(4, 3, low=-0.6, high=0.6), "b1": draw.uniform(4, low=-0.3, high=0.3),
             "w2": draw.uniform(2, 4, low=-0.6, high=0.6), "b2": draw.uniform(2, low=-0.3, high=0.3)}
    x, target = draw.uniform(6, 3), draw.uniform(6, 2)
    g.add({"name": "net", "x": tensor_json(x), "target": tensor_json(target), "start": {k: tensor_json(t) for k, t in start.items()}})

    def one(kind, name, cls, options, **torch_options):
        p = {k: t.clone().requires_grad_() for k, t in start.items()}
        optimiser = cls(list(p.values()), **torch_options)
        record = {"name": f"{kind}: {name}", "type": kind, "options": options, "after": {}}
        for step in range(1, max(STEPS) + 1):
            optimiser.zero_grad()
            y = torch.tanh(x @ p["w1"].T + p["b1"]) @ p["w2"].T + p["b2"]
            ((y - target) ** 2).mean().backward()
            optimiser.step()
            if step in STEPS:
                record["after"][str(step)] = {k: t.detach().reshape(-1).tolist() for k, t in p.items()}
        g.add(record)

    o = torch.optim
    one("SGD", "momentum, dampening, weight decay", o.SGD,
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weightDecay": 0.01}, lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.01)
    one("SGD", "Nesterov", o.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}, lr=0.05, momentum=0.9, nesterov=True)
    for kind, cls in (("Adam", o.Adam), ("AdamW", o.AdamW)):
        one(kind, "weight decay", cls, {"lr": 0.02, "weightDecay": 0.05}, lr=0.02, weight_decay=0.05)
        one(kind, "AMSGrad", cls, {"lr": 0.05, "beta1": 0.8, "beta2": 0.95, "weightDecay": 0.01, "amsgrad": True},
            lr=0.05, betas=(0.8, 0.95), weight_decay=0.01, amsgrad=True)
    one("NAdam", "plain", NAdam, {"lr": 0.02}, lr=0.02)
    one("NAdam", "all options", NAdam,
        {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "momentumDecay": 0.05, "weightDecay": 0.02},
        lr=0.01, betas=(0.8, 0.95), eps=1e-3, momentum_decay=0.05, weight_decay=0.02)
    one("RAdam", "plain", o.RAdam, {"lr": 0.05}, lr=0.05)
    one("RAdam", "all options", o.RAdam, {"lr": 0.03, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weightDecay": 0.02},
        lr=0.03, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.02)
    one("Adamax", "plain", o.Adamax, {"lr": 0.02}, lr=0.02)
    one("Adamax", "all options", o.Adamax, {"lr": 0.03, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weightDecay": 0.02},
        lr=0.03, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.02)
    one("Adagrad", "plain", o.Adagrad, {"lr": 0.1}, lr=0.1)
    one("Adagrad", "all options", o.Adagrad,
        {"lr": 0.2, "lrDecay": 0.01, "initialAccumulator": 0.1, "epsilon": 1e-4, "weightDecay": 0.02},
        lr=0.2, lr_decay=0.01, initial_accumulator_value=0.1, eps=1e-4, weight_decay=0.02)
    one("Adadelta", "plain", o.Adadelta, {"lr": 1.0}, lr=1.0)
    one("Adadelta", "all options", o.Adadelta, {"lr": 2.0, "rho": 0.8, "epsilon": 1e-4, "weightDecay": 0.02},
        lr=2.0, rho=0.8, eps=1e-4, weight_decay=0.02)
    one("RMSProp", "momentum, weight decay", o.RMSprop, {"lr": 0.01, "alpha": 0.9, "momentum": 0.8, "weightDecay": 0.02},
        lr=0.01, alpha=0.9, momentum=0.8, weight_decay=0.02)
    one("RMSProp", "centred", o.RMSprop, {"lr": 0.01, "centered": True, "epsilon": 1e-4}, lr=0.01, centered=True, eps=1e-4)
    for centered in (False, True):
        one("RMSProp", f"epsilon inside the root{', centred' if centered else ''}", RMSPropInside,
            {"lr": 0.01, "alpha": 0.9, "epsilon": 1e-3, "centered": centered, "epsilonInside": True},
            lr=0.01, alpha=0.9, eps=1e-3, centered=centered)
    one("SMORMS3", "plain", SMORMS3, {"lr": 0.05}, lr=0.05)
    one("Lion", "all options", Lion, {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "weightDecay": 0.1},
        lr=0.01, betas=(0.8, 0.95), weight_decay=0.1)
    return g


def files():
    return [sequences()]
