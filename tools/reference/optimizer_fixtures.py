"""Writes what torch's optimisers and losses do on a small problem, for the tests of the training library.

    python optimizer_fixtures.py FILE

makes a JSON file with

    problem     inputs (6×3), targets (6×2), and the weight (2×3) and bias (2) that every run starts from
    optimizers  [{"name", "options", "steps": [{"loss", "weight", "bias"}]}]: the loss before and the values after each of five
                steps of full-batch mean squared error
    losses      [{"name", "options", "inputs": {role: {"shape", "values"}}, "value", "gradient"}]: the gradient is that of the
                first argument, `input`
"""

import json
import sys

import torch
import torch.nn.functional as F

import deterministic


def numbers(name: str, *shape: int, low: float = -1, high: float = 1) -> torch.Tensor:
    """Deterministic numbers in [low, high)."""
    return torch.from_numpy(deterministic.uniform(name, shape)) * (high - low) + low


PROBLEM = dict(
    inputs=numbers("optimizer.x", 6, 3, low=-2, high=2), targets=numbers("optimizer.y", 6, 2),
    weight=numbers("optimizer.w", 2, 3), bias=numbers("optimizer.b", 2))

OPTIMIZERS = [
    ("sgd", torch.optim.SGD, dict(lr=0.1)),
    ("sgd momentum", torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
    ("sgd nesterov", torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True)),
    ("sgd decay", torch.optim.SGD, dict(lr=0.1, weight_decay=0.1)),
    ("sgd momentum decay", torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.1)),
    ("adam", torch.optim.Adam, dict(lr=0.05)),
    ("adam decay", torch.optim.Adam, dict(lr=0.05, betas=[0.8, 0.95], weight_decay=0.1)),
    ("adamw", torch.optim.AdamW, dict(lr=0.05, weight_decay=0.1)),
    ("rmsprop", torch.optim.RMSprop, dict(lr=0.02, alpha=0.9)),
]


def trajectory(kind, options: dict) -> list:
    """Five steps of one optimiser."""
    weight = PROBLEM["weight"].clone().requires_grad_()
    bias = PROBLEM["bias"].clone().requires_grad_()
    optimizer = kind([weight, bias], **options)
    steps = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = F.mse_loss(F.linear(PROBLEM["inputs"], weight, bias), PROBLEM["targets"])
        loss.backward()
        optimizer.step()
        steps.append(dict(loss=loss.item(), weight=weight.flatten().tolist(), bias=bias.tolist()))
    return steps


def loss_cases() -> list:
    """Losses of fixed arguments, with the gradient of the first."""
    cases = []

    def record(name: str, function, options: dict | None = None, **tensors) -> None:
        x = tensors["input"].clone().requires_grad_()
        value = function(x, *[tensor for role, tensor in tensors.items() if role != "input"])
        value.backward()
        described = {role: dict(shape=list(t.shape), values=t.flatten().tolist()) for role, t in tensors.items()}
        cases.append(
            dict(name=name, options=options or {}, inputs=described, value=value.item(), gradient=x.grad.flatten().tolist()))

    logits, labels = numbers("loss.logits", 5, 4, low=-4, high=4), torch.tensor([0, 3, 1, 1, 2])
    for smoothing in (0.0, 0.1):
        record("cross entropy", lambda x, t: F.cross_entropy(x, t, label_smoothing=smoothing), dict(smoothing=smoothing),
               input=logits, labels=labels)
    soft = torch.softmax(numbers("loss.soft", 5, 4, low=-2, high=2), 1)
    record("cross entropy probabilities", F.cross_entropy, input=logits, target=soft)
    record("binary cross entropy", F.binary_cross_entropy_with_logits, input=logits * 5,
           target=numbers("loss.binary", 5, 4, low=0, high=1))
    a, b = numbers("loss.a", 5, 4, low=-2, high=2), numbers("loss.b", 5, 4, low=-2, high=2)
    for beta in (1.0, 0.5):
        record("smooth l1", lambda x, t: F.smooth_l1_loss(x, t, beta=beta), dict(beta=beta), input=a, target=b)
    record("mean squared error", F.mse_loss, input=a, target=b)
    record("mean absolute error", F.l1_loss, input=a, target=b)
    # torch's arguments are log q and p; the gradient here is that of q.
    record("kl divergence", lambda q, p: F.kl_div(q.log(), p, reduction="batchmean"), input=torch.softmax(logits, 1), target=soft)
    for margin in (1.0, 0.5):
        # torch divides by the number of classes, the paper does not.
        record("hinge", lambda x, t: F.multi_margin_loss(x, t, margin=margin) * 4, dict(margin=margin), input=logits, labels=labels)
    return cases


if __name__ == "__main__":
    torch.set_num_threads(1)
    document = dict(
        problem={name: dict(shape=list(t.shape), values=t.flatten().tolist()) for name, t in PROBLEM.items()},
        optimizers=[dict(name=name, options=options, steps=trajectory(kind, options)) for name, kind, options in OPTIMIZERS],
        losses=loss_cases())
    with open(sys.argv[1], "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    print(len(document["optimizers"]), "optimisers,", len(document["losses"]), "losses")
