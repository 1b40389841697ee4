"""Writes what torch's recurrent layers return, and their gradients, for the tests of the layers.

    python recurrent_fixtures.py FILE

makes a safetensors file. For each case: `<case>.input`, `<case>.hidden`, `<case>.cell` (the state before), `<case>.output`,
`<case>.next_hidden`, `<case>.next_cell`, and of the sum of output times `<case>.upstream` the gradients `<case>.gradient.input` and
`<case>.gradient.<parameter>`. Parameters are deterministic (`deterministic.py`), called `<case>.<parameter>`.
"""

import sys

import torch
from safetensors.torch import save_file

import deterministic

TENSORS: dict = {}


def numbers(name: str, *shape: int) -> torch.Tensor:
    """Deterministic numbers in [-1, 1)."""
    return torch.from_numpy(deterministic.uniform(name, shape)) * 2 - 1


def lstm(case: str, inputs: int, width: int, layers: int, bidirectional: bool, has_state: bool) -> None:
    layer = torch.nn.LSTM(inputs, width, layers, batch_first=True, bidirectional=bidirectional)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(numbers(f"{case}.{name}", *parameter.shape) * 0.5)
            TENSORS[f"{case}.{name}"] = parameter.detach().clone()
    x = numbers(f"{case}.input", 3, 5, inputs).requires_grad_()
    rows = layers * (2 if bidirectional else 1)
    state = (numbers(f"{case}.hidden", rows, 3, width), numbers(f"{case}.cell", rows, 3, width)) if has_state else None
    output, (hidden, cell) = layer(x, state)
    upstream = numbers(f"{case}.upstream", *output.shape)
    (output * upstream).sum().backward()
    TENSORS.update({f"{case}.input": x.detach(), f"{case}.upstream": upstream, f"{case}.output": output.detach()})
    TENSORS.update({f"{case}.next_hidden": hidden.detach(), f"{case}.next_cell": cell.detach()})
    if state:
        TENSORS.update({f"{case}.hidden": state[0], f"{case}.cell": state[1]})
    TENSORS[f"{case}.gradient.input"] = x.grad
    for name, parameter in layer.named_parameters():
        TENSORS[f"{case}.gradient.{name}"] = parameter.grad


if __name__ == "__main__":
    torch.set_num_threads(1)
    lstm("lstm", 4, 6, 1, False, False)
    lstm("lstm of two layers with a state", 4, 6, 2, False, True)
    lstm("lstm in both directions", 4, 3, 2, True, True)
    save_file({name: tensor.clone().contiguous() for name, tensor in TENSORS.items()}, sys.argv[1])
    print(len(TENSORS), "tensors")
