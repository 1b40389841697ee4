"""Writes what optimisers and averages of weights do on a small problem, for the tests of the training library.

    python optimizer_fixtures.py FILE

makes a safetensors file with

    inputs 6×3, targets 6×2, weight 2×3, bias 2     the problem, and what every run starts from
    N.loss 20, N.weight 20×6, N.bias 20×2           run N: the loss before and the values after each of 20 steps
    average.N 20×6                                  average N of the weights of the run called "adam", after each step

and in its metadata `runs` and `averages`, each a list of names and options as JSON. The loss is the mean squared error, for L-BFGS the
cross-entropy of whether the targets are positive with a penalty on the weight. The runs are torch's, those with `inside` Keras', for the learning rate stands inside their momentum. The averages
are torch's (`torch.optim.swa_utils`), and, where the decay rises, diffusers'.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import diffusers.training_utils
import keras
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.optim import swa_utils

import deterministic

STEPS = 20


def numbers(name: str, *shape: int, low: float = -1, high: float = 1) -> torch.Tensor:
    """Deterministic numbers in [low, high)."""
    return torch.from_numpy(deterministic.uniform(name, shape)) * (high - low) + low


PROBLEM = dict(
    inputs=numbers("optimizer.x", 6, 3, low=-2, high=2), targets=numbers("optimizer.y", 6, 2),
    weight=numbers("optimizer.w", 2, 3), bias=numbers("optimizer.b", 2))

# Beside torch's options: `halving` halves the rate after ten steps, `late` gives the bias no gradient in the first five, `groups` trains the
# weight with a tenth of the rate and a decay of 0.3 and the bias with none, `norm` and `value` clip, `l2` is the penalty of L-BFGS' loss.
# L-BFGS runs on rounding errors once it is at the floor, or where the problem is ill-conditioned: then torch with float32 is further than 1e-5
# from torch with float64 after few steps. In these runs it stays within 3e-6.
OPTIMIZERS = [
    ("sgd", dict(lr=0.1)),
    ("sgd", dict(lr=0.1, momentum=0.9)),
    ("sgd", dict(lr=0.1, momentum=0.9, dampening=0.4, halving=True)),
    ("sgd", dict(lr=0.1, momentum=0.9, nesterov=True)),
    ("sgd", dict(lr=0.1, weight_decay=0.1)),
    ("sgd", dict(lr=0.1, momentum=0.9, weight_decay=0.1)),
    ("sgd", dict(lr=0.1, momentum=0.9, dampening=0.5, late=True)),
    ("sgd", dict(lr=0.1, momentum=0.9, weight_decay=0.1, groups=True)),
    ("sgd", dict(lr=0.1, momentum=0.9, norm=0.3)),
    ("sgd", dict(lr=0.1, momentum=0.9, value=0.1)),
    ("sgd", dict(lr=0.1, momentum=0.9, inside=True, halving=True)),
    ("sgd", dict(lr=0.1, momentum=0.9, inside=True, nesterov=True, halving=True)),
    ("adagrad", dict(lr=0.1)),
    ("adagrad", dict(lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2, eps=1e-3, late=True)),
    ("rmsprop", dict(lr=0.02, alpha=0.9)),
    ("rmsprop", dict(lr=0.02, alpha=0.9, momentum=0.5)),
    ("rmsprop", dict(lr=0.02, alpha=0.9, centered=True)),
    ("rmsprop", dict(lr=0.02, alpha=0.9, centered=True, momentum=0.5, weight_decay=0.1, eps=1e-4)),
    ("adam", dict(lr=0.05)),
    ("adam", dict(lr=0.05, betas=[0.8, 0.95], weight_decay=0.1)),
    ("adam", dict(lr=0.3, betas=[0.8, 0.5], amsgrad=True)),
    ("adam", dict(lr=0.05, late=True)),
    ("adamw", dict(lr=0.05, weight_decay=0.1)),
    ("adamw", dict(lr=0.3, weight_decay=0.1, amsgrad=True, halving=True)),
    ("adamw", dict(lr=0.05, weight_decay=0.1, groups=True)),
    ("lbfgs", dict(lr=0.5, max_iter=1, l2=0.02)),
    ("lbfgs", dict(lr=0.3, max_iter=2, history_size=3, l2=0.02)),
    ("lbfgs", dict(lr=0.3, max_iter=1, max_eval=12, history_size=3, line_search_fn="strong_wolfe", l2=0.02)),
    ("lbfgs", dict(lr=0.1, max_iter=3, max_eval=12, history_size=2, line_search_fn="strong_wolfe", l2=0.02)),
    ("lbfgs", dict(lr=20, max_iter=2, max_eval=12, history_size=3, line_search_fn="strong_wolfe", l2=0.1)),
    ("lbfgs", dict(lr=0.1, max_iter=3, max_eval=3, history_size=2, line_search_fn="strong_wolfe", l2=0.02)),
]
KINDS = dict(
    sgd=torch.optim.SGD, adagrad=torch.optim.Adagrad, rmsprop=torch.optim.RMSprop, adam=torch.optim.Adam,
    adamw=torch.optim.AdamW, lbfgs=torch.optim.LBFGS)
OWN = ["halving", "late", "groups", "norm", "value", "inside", "l2"]


def trajectory(kind: str, options: dict) -> dict:
    """Some steps of one optimiser."""
    options = dict(options)
    own = {name: options.pop(name, None) for name in OWN}
    weight = PROBLEM["weight"].clone().requires_grad_()
    bias = PROBLEM["bias"].clone().requires_grad_()
    if own["inside"]:
        variables = [keras.Variable(weight.detach()), keras.Variable(bias.detach())]
        optimizer = keras.optimizers.SGD(options["lr"], momentum=options["momentum"], nesterov=options.get("nesterov", False))
    else:
        groups = [weight, bias]
        if own["groups"]:
            groups = [dict(params=[weight], lr=options["lr"] * 0.1, weight_decay=0.3), dict(params=[bias], weight_decay=0)]
        optimizer = KINDS[kind](groups, **options)

    def closure():
        weight.grad, bias.grad = None, None
        outputs = F.linear(PROBLEM["inputs"], weight, bias)
        if kind == "lbfgs":
            loss = F.binary_cross_entropy_with_logits(outputs, (PROBLEM["targets"] > 0).float()) + own["l2"] * weight.square().sum()
        else:
            loss = F.mse_loss(outputs, PROBLEM["targets"])
        loss.backward()
        if own["norm"]:
            torch.nn.utils.clip_grad_norm_([weight, bias], own["norm"])
        if own["value"]:
            torch.nn.utils.clip_grad_value_([weight, bias], own["value"])
        return loss

    steps = []
    for step in range(STEPS):
        if own["halving"] and step == 10:
            if own["inside"]:
                optimizer.learning_rate = options["lr"] / 2
            else:
                optimizer.param_groups[0]["lr"] = options["lr"] / 2
        if kind == "lbfgs":
            loss = optimizer.step(closure)
        else:
            loss = closure()
            if own["late"] and step < 5:
                bias.grad = None
            if own["inside"]:
                optimizer.apply([weight.grad, bias.grad], variables)
                with torch.no_grad():
                    weight.copy_(variables[0].value)
                    bias.copy_(variables[1].value)
            else:
                optimizer.step()
        steps.append((loss.detach().clone(), weight.detach().flatten().clone(), bias.detach().clone()))
    return dict(zip(["loss", "weight", "bias"], map(torch.stack, zip(*steps))))


AVERAGES = [
    dict(decay=0.9), dict(decay=0.9, warmup="power"), dict(decay=0.95, warmup="power", gamma=2.0, exponent=0.75, first=3, minimum=0.5),
    dict(decay=0.6, warmup="ratio")]


def average(options: dict, values: torch.Tensor) -> torch.Tensor:
    """An average of weights, after each step."""
    module = torch.nn.Linear(1, values.shape[1], bias=False)
    results = []
    if "warmup" in options:
        model = diffusers.training_utils.EMAModel(
            module.parameters(), decay=options["decay"], min_decay=options.get("minimum", 0),
            update_after_step=options.get("first", 0), use_ema_warmup=options["warmup"] == "power",
            inv_gamma=options.get("gamma", 1.0), power=options.get("exponent", 2 / 3))
    else:
        model = swa_utils.AveragedModel(module, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(options["decay"]))
    for value in values:
        with torch.no_grad():
            module.weight.copy_(value[:, None])
        if "warmup" in options:
            model.step(module.parameters())
            results.append(model.shadow_params[0].detach().flatten().clone())
        else:
            model.update_parameters(module)
            results.append(model.module.weight.detach().flatten().clone())
    return torch.stack(results)


if __name__ == "__main__":
    torch.set_num_threads(1)
    tensors = dict(PROBLEM)
    for index, (kind, options) in enumerate(OPTIMIZERS):
        tensors |= {f"{index}.{role}": values for role, values in trajectory(kind, options).items()}
    adam = OPTIMIZERS.index(("adam", dict(lr=0.05)))
    for index, options in enumerate(AVERAGES):
        tensors[f"average.{index}"] = average(options, tensors[f"{adam}.weight"])
    runs = [dict(name=kind, options=options) for kind, options in OPTIMIZERS]
    averages = [dict(name="average", options=options) for options in AVERAGES]
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, sys.argv[1],
        dict(runs=json.dumps(runs), averages=json.dumps(averages)))
    print(len(runs), "runs,", len(averages), "averages")
