"""Writes what torch's transformer layers return, and their gradients, for the tests of the layers.

    python transformer_fixtures.py FILE

makes a safetensors file with encoders and decoders of two layers, whose normalization is at the end (`encoder`, `decoder`) or comes first
(`first encoder`, `first decoder`, which have GELU and look at no later places), attention to keys and values of other widths (`cross`), additive
attention (`additive`) and LLaMA's feed-forward layers (`swiglu`):
`<case>.output`, and of the sum of output times `<case>.upstream` the gradients `<case>.gradient.<input or parameter>`. The last two of five
keys are hidden in the second sequence. The inputs, `<case>.upstream` and the parameters `<case>.<parameter>` are deterministic (`deterministic.py`) and not in
the file. What transformers makes of positions is there as `rotary.<pairing>` and torch's formula as `sinusoidal`; `rms.output` is torch's.
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


def case(name: str, module: nn.Module, inputs: dict, run=None, **options) -> None:
    """`inputs` are shapes by name; `run` maps the module and the inputs to the output."""
    module.eval()
    module.load_state_dict({
        key: torch.from_numpy(deterministic.torch_tensor(f"{name}.{key}", tuple(value.shape)))
        for key, value in module.state_dict().items()})
    tensors = {key: numbers(f"{name}.{key}", *shape).requires_grad_() for key, shape in inputs.items()}
    output = run(module, *tensors.values()) if run else module(*tensors.values(), **options)
    (output * numbers(f"{name}.upstream", *output.shape)).sum().backward()
    TENSORS[f"{name}.output"] = output.detach()
    for key, tensor in [*tensors.items(), *module.named_parameters()]:
        TENSORS[f"{name}.gradient.{key}"] = tensor.grad


class Additive(nn.Module):
    """Bahdanau's attention: v tanh(W s + U h)."""

    def __init__(self, queries: int, keys: int, width: int):
        super().__init__()
        self.query, self.key = nn.Linear(queries, width), nn.Linear(keys, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, query, key, hidden):
        scores = self.score(torch.tanh(self.query(query)[:, :, None] + self.key(key)[:, None]))[..., 0]
        return scores.masked_fill(hidden[:, None], -torch.inf).softmax(2) @ key


def stacks() -> None:
    sizes = {"d_model": WIDTH, "nhead": HEADS, "dim_feedforward": HIDDEN, "batch_first": True}
    first = {**sizes, "norm_first": True, "activation": "gelu"}
    hidden = torch.tensor([[False] * 5, [False, False, False, True, True]])
    later = torch.ones(5, 5).triu(1).bool()
    for prefix, options in (("", sizes), ("first ", first)):
        encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**options), LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        case(f"{prefix}encoder", encoder, {"source": (2, 5, WIDTH)}, src_key_padding_mask=hidden,
             **({"mask": later} if prefix else {}))
        decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**options), LAYERS, nn.LayerNorm(WIDTH))
        case(f"{prefix}decoder", decoder, {"target": (2, 3, WIDTH), "source": (2, 5, WIDTH)},
             memory_key_padding_mask=hidden, **({"tgt_mask": later[:3, :3]} if prefix else {}))
    bias = numbers("cross.bias", 3, 5)
    case("cross", nn.MultiheadAttention(WIDTH, HEADS, kdim=5, vdim=3, batch_first=True),
         {"query": (2, 3, WIDTH), "key": (2, 5, 5), "value": (2, 5, 3)},
         lambda module, *inputs: module(
             *inputs, attn_mask=bias, key_padding_mask=torch.zeros(2, 5).masked_fill(hidden, -torch.inf))[0])
    case("additive", Additive(4, 6, 7), {"query": (2, 3, 4), "key": (2, 5, 6)},
         lambda module, query, key: module(query, key, hidden))


def positions() -> None:
    from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb as by_halves
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb, create_sinusoidal_positions
    from transformers.models.llama.modeling_llama import LlamaConfig, LlamaMLP

    x = numbers("rotary", 2, 2, 7, 10)  # six of ten features are turned, from place 3 on
    angles = torch.arange(3, 10)[:, None] * 10000 ** (-torch.arange(0, 6, 2) / 6)
    both = torch.cat([angles, angles], 1)[None]
    turned, _ = by_halves(x[..., :6], x[..., :6], both.cos(), both.sin())
    TENSORS["rotary.halves"] = torch.cat([turned, x[..., 6:]], 3)
    sine, cosine = create_sinusoidal_positions(10, 6)[None, 3:].chunk(2, 2)
    turned = apply_rotary_pos_emb(x[..., :6].transpose(1, 2), sine, cosine).transpose(1, 2)
    TENSORS["rotary.neighbours"] = torch.cat([turned, x[..., 6:]], 3)
    places = torch.zeros(9, 8)
    waves = torch.arange(9)[:, None] * torch.exp(torch.arange(0, 8, 2) * (-torch.log(torch.tensor(10000.0)) / 8))
    places[:, 0::2], places[:, 1::2] = waves.sin(), waves.cos()
    TENSORS["sinusoidal"] = places
    case("rms", nn.RMSNorm(6, eps=1e-6), {"input": (2, 3, 6)})
    config = LlamaConfig(hidden_size=6, intermediate_size=10, num_attention_heads=2, mlp_bias=False)
    case("swiglu", LlamaMLP(config), {"input": (2, 3, 6)})


def main(file: str) -> None:
    torch.set_num_threads(1)
    stacks()
    positions()
    save_file({name: tensor.clone().contiguous() for name, tensor in TENSORS.items()}, file)


if __name__ == "__main__":
    main(sys.argv[1])
