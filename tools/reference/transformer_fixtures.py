"""Writes what torch's transformer layers return, and their gradients, for the tests of the layers.

    python transformer_fixtures.py FILE

makes a safetensors file with one encoder (`encoder`) and one decoder (`decoder`) of two layers and a normalization at the end:
`<case>.output`, and of the sum of output times `<case>.upstream` the gradients `<case>.gradient.<input or parameter>`. The last two of five
keys are hidden in the second sequence. The inputs `<case>.source`, `decoder.target` and `<case>.upstream` and the parameters
`<case>.<parameter>` are deterministic (`deterministic.py`) and not in the file.
"""

import sys

import torch
from safetensors.torch import save_file
from torch import nn

import deterministic

WIDTH, HEADS, HIDDEN, LAYERS = 8, 2, 12, 2
TENSORS: dict = {}


def numbers(name: str, *shape: int) -> torch.Tensor:
    """Deterministic numbers in [-1, 1)."""
    return torch.from_numpy(deterministic.uniform(name, shape)) * 2 - 1


def case(name: str, stack: nn.Module, inputs: dict, mask: dict) -> None:
    stack.eval()
    stack.load_state_dict({
        key: torch.from_numpy(deterministic.torch_tensor(f"{name}.{key}", tuple(value.shape)))
        for key, value in stack.state_dict().items()})
    output = stack(*inputs.values(), **mask)
    (output * numbers(f"{name}.upstream", *output.shape)).sum().backward()
    TENSORS[f"{name}.output"] = output.detach()
    for key, tensor in [*inputs.items(), *stack.named_parameters()]:
        TENSORS[f"{name}.gradient.{key}"] = tensor.grad


def main(file: str) -> None:
    torch.set_num_threads(1)
    sizes = {"d_model": WIDTH, "nhead": HEADS, "dim_feedforward": HIDDEN, "batch_first": True}
    source = {name: numbers(f"{name}.source", 2, 5, WIDTH).requires_grad_() for name in ("encoder", "decoder")}
    target = numbers("decoder.target", 2, 3, WIDTH).requires_grad_()
    hidden = torch.tensor([[False] * 5, [False, False, False, True, True]])
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(**sizes), LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
    case("encoder", encoder, {"source": source["encoder"]}, {"src_key_padding_mask": hidden})
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**sizes), LAYERS, nn.LayerNorm(WIDTH))
    inputs = {"target": target, "source": source["decoder"]}
    case("decoder", decoder, inputs, {"memory_key_padding_mask": hidden})
    save_file({name: tensor.clone().contiguous() for name, tensor in TENSORS.items()}, file)


if __name__ == "__main__":
    main(sys.argv[1])
