"""Writes values and gradients of losses, for the tests of the layers.

    python loss_fixtures.py FILE

makes a safetensors file with N.ROLE for the tensors of case N, N.value, and N.gradient: that of the sum of the value with respect to `input`;
and in its metadata `cases`, a list of names and options as JSON. The values are torch's and torchvision's; the Dice loss, and the hinge losses
that torch has in another form or not at all, are written down here.
"""

import json
import sys

import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file

import deterministic

CASES: list = []
TENSORS: dict = {}


def numbers(name: str, *shape: int, low: float = -1, high: float = 1) -> torch.Tensor:
    """Deterministic numbers in [low, high)."""
    return torch.from_numpy(deterministic.uniform(name, shape)) * (high - low) + low


def record(name: str, function, options: dict | None = None, **tensors: torch.Tensor) -> None:
    """One case; the function takes the tensors by their roles."""
    given = dict(tensors)
    given["input"] = tensors["input"].clone().requires_grad_()
    value = function(**given)
    value.sum().backward()
    index = len(CASES)
    CASES.append(dict(name=name, options=options or {}))
    TENSORS.update({f"{index}.{role}": tensor for role, tensor in tensors.items()})
    TENSORS.update({f"{index}.value": value.detach(), f"{index}.gradient": given["input"].grad})


def each(*options: dict):
    """Each of the options with the mean, and the last of them with every reduction."""
    yield from (dict(o, reduction="mean") for o in options)
    yield from (dict(options[-1], reduction=r) for r in ("sum", "none"))


def cross_entropy() -> None:
    logits, labels = numbers("loss.logits", 5, 4, low=-4, high=4), torch.tensor([0, 3, 1, 1, 2])
    weights = numbers("loss.weights", 4, low=0.2, high=2)
    pixels, classes = numbers("loss.pixels", 2, 3, 2, 4, low=-4, high=4), torch.tensor([[[0, 2, 255, 1], [1, 1, 0, 2]], [[2, 255, 255, 0], [1, 0, 0, 0]]])
    name = "cross entropy"

    def call(o):
        return lambda input, labels, weights=None: F.cross_entropy(
            input, labels, weights, label_smoothing=o.get("smoothing", 0.0), ignore_index=o.get("ignored", -100), reduction=o["reduction"])

    for o in each(dict(), dict(smoothing=0.1)):
        record(name, call(o), o, input=logits, labels=labels)
    for o in each(dict(), dict(smoothing=0.1), dict(smoothing=0.1, ignored=1)):
        record(name, call(o), o, input=logits, labels=labels, weights=weights)
    for o in each(dict(ignored=255), dict(ignored=255, smoothing=0.2)):
        record(name, call(o), o, input=pixels, labels=classes)
    broken = logits.clone()
    broken[0, 0], broken[1, 2], broken[2, 0], broken[3] = torch.nan, -torch.inf, -torch.inf, -torch.inf
    for ignored in (-100, 1):
        o = dict(ignored=ignored, reduction="none")
        record(name, call(o), o, input=broken, labels=labels)
    record(name, call(dict(reduction="mean")), dict(reduction="mean"), input=broken[1:3], labels=labels[1:3])
    record(name, call(dict(reduction="mean", ignored=0)), dict(reduction="mean", ignored=0), input=logits[:1], labels=labels[:1])

    def soft(o):
        return lambda input, target, weights=None: F.cross_entropy(
            input, target, weights, label_smoothing=o.get("smoothing", 0.0), reduction=o["reduction"])

    target = torch.softmax(numbers("loss.soft", 5, 4, low=-2, high=2), 1)
    record(name, soft(dict(reduction="mean")), dict(reduction="mean"), input=logits, target=target)
    for o in each(dict(smoothing=0.1)):
        record(name, soft(o), o, input=logits, target=target, weights=weights)
    record(name, soft(dict(reduction="mean")), dict(reduction="mean"), input=pixels,
           target=torch.softmax(numbers("loss.softpixels", 2, 3, 2, 4), 1))


def binary_cross_entropy() -> None:
    logits, target = numbers("loss.logits", 5, 4, low=-20, high=20), numbers("loss.binary", 5, 4, low=0, high=1)
    name = "binary cross entropy"
    for o in each(dict()):
        record(name, lambda input, target: F.binary_cross_entropy_with_logits(input, target, reduction=o["reduction"]), o,
               input=logits, target=target)
    for o in each(dict()):
        record(name, lambda input, target, weights, positive: F.binary_cross_entropy_with_logits(
            input, target, weights, pos_weight=positive, reduction=o["reduction"]), o, input=logits, target=target,
            weights=numbers("loss.elements", 5, 1, low=0, high=2), positive=numbers("loss.positive", 4, low=0.5, high=3))
    extreme = torch.tensor([torch.nan, -torch.inf, -torch.inf, torch.inf, torch.inf, 1000, -1000, 80, -80])
    o = dict(reduction="none")
    record(name, lambda input, target: F.binary_cross_entropy_with_logits(input, target, reduction="none"), o, input=extreme,
           target=torch.tensor([1.0, 0, 1, 0, 1, 1, 1, 0, 0]))
    hard = (target > 0.5).float()
    for o in each(dict(alpha=0.25, gamma=2.0), dict(alpha=-1.0, gamma=2.0), dict(alpha=0.25, gamma=0.0), dict(alpha=0.6, gamma=1.5)):
        record("focal", lambda input, target: torchvision.ops.sigmoid_focal_loss(
            input, target, o["alpha"], o["gamma"], o["reduction"]), o, input=logits / 5, target=hard)


def regression() -> None:
    a, b = numbers("loss.a", 5, 4, low=-2, high=2), numbers("loss.b", 5, 4, low=-2, high=2)
    for o in each(dict()):
        record("mean squared error", lambda input, target: F.mse_loss(input, target, reduction=o["reduction"]), o, input=a, target=b)
        record("mean absolute error", lambda input, target: F.l1_loss(input, target, reduction=o["reduction"]), o, input=a, target=b)
    extreme = torch.cat([a.flatten(), torch.tensor([torch.nan, torch.inf, -torch.inf, 1e30])])
    other = torch.cat([b.flatten(), torch.zeros(4)])
    for o in each(dict(beta=1.0), dict(beta=0.0), dict(beta=0.5)):
        x, t = (extreme, other) if o["reduction"] == "none" else (a, b)
        record("smooth l1", lambda input, target: F.smooth_l1_loss(input, target, beta=o["beta"], reduction=o["reduction"]), o, input=x, target=t)
    for o in each(dict(delta=1.0), dict(delta=0.5)):
        x, t = (extreme, other) if o["reduction"] == "none" else (a, b)
        record("huber", lambda input, target: F.huber_loss(input, target, delta=o["delta"], reduction=o["reduction"]), o, input=x, target=t)


def divergence() -> None:
    logq = torch.log_softmax(numbers("loss.logits", 5, 4, low=-4, high=4), 1)
    p = torch.softmax(numbers("loss.soft", 5, 4, low=-2, high=2), 1)
    certain = torch.tensor([[0.0, 1, 0, 0], [0.5, 0.5, 0, 0]])
    for reduction in ("batchmean", "mean", "sum", "none"):
        for logarithmic in (False, True):
            record("kl divergence", lambda input, target: F.kl_div(input, target, reduction=reduction, log_target=logarithmic),
                   dict(reduction=reduction, logarithmic=logarithmic), input=logq, target=p.log() if logarithmic else p)
    record("kl divergence", lambda input, target: F.kl_div(input, target, reduction="none"), dict(reduction="none", logarithmic=False),
           input=logq[:2], target=certain)
    spoilt = logq[:2].clone()
    spoilt[0, 0], spoilt[0, 1], spoilt[1, 0] = -torch.inf, -torch.inf, torch.nan
    record("kl divergence", lambda input, target: F.kl_div(input, target, reduction="none"), dict(reduction="none", logarithmic=False),
           input=spoilt, target=certain)


def margins() -> None:
    scores, labels = numbers("loss.logits", 5, 4, low=-2, high=2), torch.tensor([0, 3, 1, 1, 2])
    # torch divides by the number of classes, the paper does not.
    for o in each(dict(margin=1.0, power=1), dict(margin=0.5, power=2)):
        record("hinge", lambda input, labels: 4 * F.multi_margin_loss(
            input, labels, p=o["power"], margin=o["margin"], reduction=o["reduction"]), o, input=scores, labels=labels)
    spoilt = scores.clone()
    # torch loses a NaN among the wrong classes; that is not followed.
    spoilt[1, 1] = -torch.inf
    record("hinge", lambda input, labels: 4 * F.multi_margin_loss(input, labels, reduction="none"), dict(margin=1.0, power=1, reduction="none"),
           input=spoilt, labels=labels)
    signs = torch.where(numbers("loss.signs", 5, 4) > 0, 1.0, -1.0)
    for o in each(dict(margin=1.0, power=1), dict(margin=0.5, power=2)):
        def binary(input, target):
            losses = (o["margin"] - target * input).clamp(min=0) ** o["power"]
            return losses if o["reduction"] == "none" else getattr(losses, o["reduction"])()
        record("binary hinge", binary, o, input=scores, target=signs)
    anchor, positive, negative = (numbers(f"loss.{n}", 5, 4) for n in ("anchor", "positive", "negative"))
    for o in each(dict(margin=1.0, p=2.0, swap=False), dict(margin=0.5, p=1.0, swap=False), dict(margin=0.5, p=3.0, swap=False), dict(margin=0.5, p=2.0, swap=True)):
        record("triplet", lambda input, positive, negative: F.triplet_margin_loss(
            input, positive, negative, o["margin"], o["p"], swap=o["swap"], reduction=o["reduction"]), o, input=anchor, positive=positive, negative=negative)


def dice() -> None:
    logits, labels = numbers("loss.pixels", 2, 3, 2, 4, low=-4, high=4), torch.tensor([[[0, 2, 2, 1], [1, 1, 0, 2]], [[2, 2, 0, 0], [0, 0, 0, 0]]])
    for o in each(dict(smoothing=1.0, scores="softmax", batch=False), dict(smoothing=1e-3, scores="sigmoid", batch=False), dict(smoothing=0.5, scores="probabilities", batch=True)):
        def loss(input, labels):
            t = F.one_hot(labels, 3).movedim(-1, 1).float()
            p = dict(softmax=lambda: input.softmax(1), sigmoid=input.sigmoid, probabilities=lambda: input)[o["scores"]]()
            axes = (0, 2, 3) if o["batch"] else (2, 3)
            losses = 1 - (2 * (p * t).sum(axes) + o["smoothing"]) / (p.sum(axes) + t.sum(axes) + o["smoothing"])
            return losses if o["reduction"] == "none" else getattr(losses, o["reduction"])()
        record("dice", loss, o, input=logits.sigmoid() if o["scores"] == "probabilities" else logits, labels=labels)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for family in (cross_entropy, binary_cross_entropy, regression, divergence, margins, dice):
        family()
    save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in TENSORS.items()}, sys.argv[1], dict(cases=json.dumps(CASES)))
    print(len(CASES), "cases")
