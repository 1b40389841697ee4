"""Writes the learning rates of torch's schedules, for the tests of the training library.

    python schedule_fixtures.py FILE

makes a JSON file {name: [the rate of each of 40 steps]} of optimisers that begin with a rate of 1 (for one-cycle schedules, whose highest rate
is 1), and under `plateau …` the rate after each of the results of `results`.
"""

import json
import sys

import torch
from torch.optim import lr_scheduler as s

STEPS = 40

SCHEDULES = {
    "step": lambda o: s.StepLR(o, 7, 0.5),
    "multi-step": lambda o: s.MultiStepLR(o, [4, 10, 30], 0.3),
    "exponential": lambda o: s.ExponentialLR(o, 0.93),
    "cosine": lambda o: s.CosineAnnealingLR(o, STEPS),
    "cosine to 0.1": lambda o: s.CosineAnnealingLR(o, STEPS, 0.1),
    "cosine with restarts": lambda o: s.CosineAnnealingWarmRestarts(o, 9),
    "cosine with longer restarts": lambda o: s.CosineAnnealingWarmRestarts(o, 5, 2, 0.05),
    "linear": lambda o: s.LinearLR(o, 0.25, 0.75, 17),
    "linear to 0": lambda o: s.LinearLR(o, 1, 0, STEPS),
    "polynomial": lambda o: s.PolynomialLR(o, 30, 0.9),
    "polynomial squared": lambda o: s.PolynomialLR(o, STEPS, 2),
    "one cycle": lambda o: s.OneCycleLR(o, 1, STEPS, cycle_momentum=False),
    "one linear cycle": lambda o: s.OneCycleLR(o, 1, STEPS, pct_start=0.45, anneal_strategy="linear", cycle_momentum=False, div_factor=10, final_div_factor=100),
    "one cycle in three phases": lambda o: s.OneCycleLR(o, 1, STEPS, pct_start=0.4, three_phase=True, cycle_momentum=False),
    "one linear cycle in three phases": lambda o: s.OneCycleLR(o, 1, STEPS, pct_start=0.3, anneal_strategy="linear", three_phase=True, cycle_momentum=False),
    "warm-up and cosine": lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1, 8), s.CosineAnnealingLR(o, 32)], [8]),
    "sequence": lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.2, 1, 6), s.ConstantLR(o, 1), s.StepLR(o, 5, 0.5)], [6, 15]),
}

RESULTS = [1.0, 0.8, 0.79999, 0.81, 0.8, 0.75, 0.9, float("nan"), 0.74, 0.74, 0.74, 0.74, 0.74, 0.74, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
PLATEAUS = {
    "plateau": dict(factor=0.5, patience=2),
    "plateau with cooldown": dict(factor=0.1, patience=1, cooldown=2, threshold=0.05, threshold_mode="abs", min_lr=0.005),
    "plateau of a rising metric": dict(mode="max", factor=0.5, patience=3, threshold=0.01),
}


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def rates(make) -> list:
    """The rate of each step."""
    o = optimizer()
    schedule = make(o)
    values = []
    for step in range(STEPS):
        values.append(o.param_groups[0]["lr"])
        o.step()
        if step + 1 < STEPS:
            schedule.step()
    return values


def plateau(options: dict) -> list:
    """The rate after each result."""
    o = optimizer()
    schedule = s.ReduceLROnPlateau(o, **options)
    values = []
    for result in RESULTS:
        schedule.step(result)
        values.append(o.param_groups[0]["lr"])
    return values


if __name__ == "__main__":
    document = {name: rates(make) for name, make in SCHEDULES.items()}
    document |= {name: plateau(options) for name, options in PLATEAUS.items()}
    document["results"] = [None if r != r else r for r in RESULTS]
    with open(sys.argv[1], "w") as file:
        json.dump({name: [v if v is None else round(v, 9) for v in values] for name, values in document.items()}, file)
        file.write("\n")
    print(len(document) - 1, "schedules")
