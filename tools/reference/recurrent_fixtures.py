"""Writes what torch's recurrent layers return, and their gradients, for the tests of the layers.

    python recurrent_fixtures.py FILE

makes a safetensors file. For each case: `<case>.input`, `<case>.hidden`, `<case>.cell` (the state before), `<case>.lengths` of sequences that
were packed, `<case>.output`, `<case>.next_hidden`, `<case>.next_cell`, and of the sum of output times `<case>.upstream` the gradients
`<case>.gradient.input` and `<case>.gradient.<parameter>`. Parameters are deterministic (`deterministic.py`), called `<case>.<parameter>`.
What torch has no layer for is written out below: gated recurrent units that reset before the product, and a convolutional LSTM.
"""

import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import deterministic

TENSORS: dict = {}
STEPS = 5


def numbers(name: str, *shape: int) -> torch.Tensor:
    """Deterministic numbers in [-1, 1)."""
    return torch.from_numpy(deterministic.uniform(name, shape)) * 2 - 1


class Written(nn.Module):
    """One layer in one direction, written out; its parameters have the names of torch's layers."""

    def __init__(self, step, shapes: dict, states: list):
        super().__init__()
        self.step, self.states = step, states
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    def forward(self, x, state=None):
        state = state or tuple(torch.zeros(len(x), *shape) for shape in self.states)
        outputs = []
        for t in range(x.shape[1]):
            state = self.step(self, x[:, t], *state)
            outputs.append(state[0])
        return torch.stack(outputs, 1), tuple(part[None] for part in state)


def reset_before(layer, x, h):
    width = h.shape[1]
    inputs = (x @ layer.weight_ih_l0.T + layer.bias_ih_l0).chunk(3, 1)
    gates = (h @ layer.weight_hh_l0[: 2 * width].T + layer.bias_hh_l0[: 2 * width]).chunk(2, 1)
    r, z = torch.sigmoid(inputs[0] + gates[0]), torch.sigmoid(inputs[1] + gates[1])
    n = torch.tanh(inputs[2] + (r * h) @ layer.weight_hh_l0[2 * width :].T + layer.bias_hh_l0[2 * width :])
    return ((1 - z) * n + z * h,)


def convolutional(layer, x, h, c):
    conv = nn.functional.conv2d
    i, f, g, o = (
        conv(x, layer.weight_ih_l0, layer.bias_ih_l0, padding=1) + conv(h, layer.weight_hh_l0, padding=1)
    ).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def case(name: str, layer: nn.Module, shape: tuple, states: list = (), lengths: list | None = None) -> None:
    """`states` are shapes of the state before; none for zeros."""
    with torch.no_grad():
        for key, parameter in layer.named_parameters():
            parameter.copy_(numbers(f"{name}.{key}", *parameter.shape) * 0.5)
            TENSORS[f"{name}.{key}"] = parameter.detach().clone()
    x = numbers(f"{name}.input", *shape).requires_grad_()
    parts = ("hidden", "cell")
    state = tuple(numbers(f"{name}.{part}", *sizes) for part, sizes in zip(parts, states))
    TENSORS.update({f"{name}.{part}": tensor for part, tensor in zip(parts, state)})
    given = (state if len(state) > 1 else state[0]) if state else None
    if lengths:
        TENSORS[f"{name}.lengths"] = torch.tensor(lengths)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        result, end = layer(packed, given)
        output, _ = pad_packed_sequence(result, batch_first=True, total_length=shape[1])
    else:
        output, end = layer(x, given)
    upstream = numbers(f"{name}.upstream", *output.shape)
    (output * upstream).sum().backward()
    TENSORS.update({f"{name}.input": x.detach(), f"{name}.upstream": upstream, f"{name}.output": output.detach()})
    for part, tensor in zip(parts, end if isinstance(end, tuple) else (end,)):
        TENSORS[f"{name}.next_{part}"] = tensor.detach()
    TENSORS[f"{name}.gradient.input"] = x.grad
    for key, parameter in layer.named_parameters():
        TENSORS[f"{name}.gradient.{key}"] = parameter.grad


def main(file: str) -> None:
    torch.set_num_threads(1)
    first = {"batch_first": True}
    x = (3, STEPS, 4)
    case("lstm", nn.LSTM(4, 6, **first), x)
    case("lstm of two layers with a state", nn.LSTM(4, 6, 2, **first), x, [(2, 3, 6)] * 2)
    both = {"bidirectional": True, **first}
    case("lstm in both directions", nn.LSTM(4, 3, 2, **both), x, [(4, 3, 3)] * 2)
    case("lstm of other lengths", nn.LSTM(4, 3, 2, **both), x, [(4, 3, 3)] * 2, [3, 5, 1])
    case("lstm with a projection", nn.LSTM(4, 5, 2, proj_size=2, **both), x, [(4, 3, 2), (4, 3, 5)])
    case("rnn", nn.RNN(4, 6, **first), x)
    case("rnn with relu", nn.RNN(4, 3, 2, nonlinearity="relu", **both), x, [(4, 3, 3)])
    case("rnn of other lengths", nn.RNN(4, 3, **both), x, [], [5, 2, 4])
    case("gru", nn.GRU(4, 6, **first), x)
    case("gru in both directions", nn.GRU(4, 3, 2, **both), x, [(4, 3, 3)])
    case("gru of other lengths", nn.GRU(4, 3, 2, **both), x, [(4, 3, 3)], [1, 3, 5])
    shapes = {"weight_ih_l0": (9, 4), "weight_hh_l0": (9, 3), "bias_ih_l0": 9, "bias_hh_l0": 9}
    case("gru that resets before", Written(reset_before, shapes, [(3,)]), x)
    shapes = {"weight_ih_l0": (8, 3, 3, 3), "weight_hh_l0": (8, 2, 3, 3), "bias_ih_l0": 8}
    case("convolutional lstm", Written(convolutional, shapes, [(2, 4, 5)] * 2), (2, 3, 3, 4, 5))
    save_file({name: tensor.clone().contiguous() for name, tensor in TENSORS.items()}, file)
    print(len(TENSORS), "tensors")


if __name__ == "__main__":
    main(sys.argv[1])
