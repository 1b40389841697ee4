"""Writes inputs and outputs of single operations, computed by torch, for the tests of the tensor library.

    python op_fixtures.py FILE

makes a safetensors file with the tensors `<case>.<role>` (roles: input, weight, bias, mean, variance, output; all float32
except the int64 input of an embedding) and, in `__metadata__["cases"]`, a JSON array of

    {"name": case, "op": operation, "attributes": {name: number, Boolean, string or array}}

Spatial attributes are arrays, one number per axis. `padding` of a convolution or pooling is [[before, after], ...]; where
the two differ, torch was given the padded input. Output padding, groups and the like are always present, defaults included.
"""

import json
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import deterministic

TENSORS: dict = {}
CASES: list = []


def numbers(name: str, *shape: int, low: float = -1, high: float = 1) -> torch.Tensor:
    """Deterministic numbers in [low, high)."""
    return torch.from_numpy(deterministic.uniform(name, shape)) * (high - low) + low


def record(name: str, op: str, attributes: dict, output, **tensors) -> None:
    """Adds one case to the file."""
    CASES.append({"name": name, "op": op, "attributes": attributes})
    for role, tensor in {**tensors, "output": output}.items():
        if tensor is not None:
            TENSORS[f"{name}.{role}"] = tensor.detach().clone().contiguous()


def padded(x: torch.Tensor, padding, value: float = 0) -> torch.Tensor:
    """`x` with [[before, after], ...] elements more on its last axes."""
    return F.pad(x, [n for pair in reversed(padding) for n in pair], value=value)


def convolution(name, size, channels, out, kernel, stride=1, padding=0, dilation=1, groups=1, bias=True):
    rank = len(size)
    stride, dilation = [stride] * rank, [dilation] * rank
    if isinstance(padding, int):
        padding = [[padding, padding]] * rank
    x, w = numbers(name + ".x", 2, channels, *size), numbers(name + ".w", out, channels // groups, *[kernel] * rank)
    b = numbers(name + ".b", out) if bias else None
    op = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    y = op(padded(x, padding), w, b, stride=stride, dilation=dilation, groups=groups)
    attributes = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    record(name, f"conv{rank}d", attributes, y, input=x, weight=w, bias=b)


def transposed(name, size, channels, out, kernel, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    x, w = numbers(name + ".x", 2, channels, *size), numbers(name + ".w", channels, out // groups, kernel, kernel)
    b = numbers(name + ".b", out)
    y = F.conv_transpose2d(x, w, b, stride, padding, output_padding, groups, dilation)
    attributes = dict(
        stride=[stride] * 2, padding=[[padding] * 2] * 2, output_padding=[output_padding] * 2, groups=groups,
        dilation=[dilation] * 2)
    record(name, "conv_transpose2d", attributes, y, input=x, weight=w, bias=b)


def convolutions() -> None:
    convolution("conv1d_plain", [9], 3, 4, 3, padding=1)
    convolution("conv1d_stride_dilation", [13], 4, 6, 3, stride=2, padding=2, dilation=2, groups=2)
    convolution("conv2d_plain", [7, 6], 3, 5, 3)
    convolution("conv2d_no_bias", [4, 4], 8, 16, 3, padding=1, bias=False)
    convolution("conv2d_pointwise", [5, 5], 8, 6, 1)
    convolution("conv2d_stride", [9, 8], 3, 4, 3, stride=2, padding=1)
    convolution("conv2d_same_stride2", [8, 8], 3, 4, 3, stride=2, padding=[[0, 1], [0, 1]])
    convolution("conv2d_asymmetric", [6, 7], 3, 4, 3, padding=[[2, 0], [1, 3]])
    convolution("conv2d_dilation", [7, 8], 3, 4, 3, padding=2, dilation=2)
    convolution("conv2d_groups", [5, 5], 6, 9, 3, padding=1, groups=3)
    convolution("conv2d_depthwise", [5, 6], 8, 8, 3, padding=1, groups=8)
    convolution("conv2d_depthwise_stride", [8, 8], 4, 4, 3, stride=2, padding=[[0, 1], [0, 1]], groups=4, bias=False)
    convolution("conv2d_depthwise_multiplier", [6, 6], 4, 8, 3, padding=1, groups=4)
    convolution("conv3d_plain", [4, 5, 5], 2, 3, 3, padding=1)
    convolution("conv3d_stride", [5, 4, 4], 2, 4, 2, stride=2, groups=2)
    transposed("conv_transpose2d_plain", [5, 4], 3, 4, 3)
    transposed("conv_transpose2d_stride", [4, 4], 3, 4, 4, stride=2, padding=1)
    transposed("conv_transpose2d_output_padding", [4, 5], 3, 4, 3, stride=2, padding=1, output_padding=1)
    transposed("conv_transpose2d_groups", [4, 4], 4, 6, 3, stride=2, padding=1, groups=2)
    transposed("conv_transpose2d_dilation", [4, 4], 2, 3, 3, dilation=2)


def pooling() -> None:
    x = numbers("pool.x", 1, 2, 7, 8)
    for ceil in (False, True):
        for kernel, stride, padding in ((2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1)):
            shared = dict(kernel=[kernel] * 2, stride=[stride] * 2, padding=[[padding] * 2] * 2, ceil_mode=ceil)
            suffix = f"_k{kernel}s{stride}p{padding}" + ("_ceil" if ceil else "")
            record("max_pool2d" + suffix, "max_pool2d", shared, F.max_pool2d(x, kernel, stride, padding, 1, ceil), input=x)
            for include in (True, False):
                y = F.avg_pool2d(x, kernel, stride, padding, ceil, include)
                name = "avg_pool2d" + suffix + ("" if include else "_exclude")
                record(name, "avg_pool2d", {**shared, "count_include_pad": include}, y, input=x)
    x = numbers("adaptive.x", 2, 2, 5, 7)
    for size in ([3, 3], [1, 1], [7, 7], [2, 5]):
        name = f"_{size[0]}x{size[1]}"
        record("adaptive_avg_pool2d" + name, "adaptive_avg_pool2d", dict(size=size), F.adaptive_avg_pool2d(x, size), input=x)
        record("adaptive_max_pool2d" + name, "adaptive_max_pool2d", dict(size=size), F.adaptive_max_pool2d(x, size), input=x)


def normalisation() -> None:
    x = numbers("norm.x", 2, 6, 3, 4, low=-3, high=3)
    w, b = numbers("norm.w", 6, low=0.5, high=1.5), numbers("norm.b", 6)
    mean, variance = numbers("norm.mean", 6), numbers("norm.var", 6, low=0.5, high=1.5)
    for eps in (1e-5, 1e-3):
        y = F.batch_norm(x, mean, variance, w, b, eps=eps)
        record(f"batch_norm_eval_{eps:.0e}", "batch_norm", dict(eps=eps, training=False), y,
               input=x, weight=w, bias=b, mean=mean, variance=variance)
    y = F.batch_norm(x, None, None, w, b, training=True)
    record("batch_norm_training", "batch_norm", dict(eps=1e-5, training=True), y, input=x, weight=w, bias=b)
    for groups in (1, 2, 3, 6):
        y = F.group_norm(x, groups, w, b, 1e-5)
        record(f"group_norm_{groups}", "group_norm", dict(eps=1e-5, groups=groups), y, input=x, weight=w, bias=b)
    y = F.instance_norm(x, None, None, w, b)
    record("instance_norm", "instance_norm", dict(eps=1e-5), y, input=x, weight=w, bias=b)
    t = numbers("norm.t", 2, 3, 10, low=-3, high=3)
    w, b = numbers("norm.tw", 10, low=0.5, high=1.5), numbers("norm.tb", 10)
    for eps in (1e-5, 1e-3):
        y = F.layer_norm(t, [10], w, b, eps)
        record(f"layer_norm_{eps:.0e}", "layer_norm", dict(eps=eps), y, input=t, weight=w, bias=b)
    record("rms_norm", "rms_norm", dict(eps=1e-5), F.rms_norm(t, [10], w, 1e-5), input=t, weight=w)
    x = numbers("lrn.x", 2, 8, 3, 3, low=-20, high=20)
    alexnet = dict(size=5, alpha=1e-4, beta=0.75, k=2.0)
    record("lrn_alexnet", "local_response_norm", alexnet, F.local_response_norm(x, *alexnet.values()), input=x)
    strong = dict(size=3, alpha=0.1, beta=0.5, k=1.0)
    record("lrn_strong", "local_response_norm", strong, F.local_response_norm(x, *strong.values()), input=x)


def activations() -> None:
    x = torch.cat([numbers("act.x", 40, low=-8, high=8), torch.tensor([0.0, -0.0, 3.0, -3.0, 6.0, 20.5, -20.5, 90.0])])
    for name, op, attributes, function in (
        ("gelu_exact", "gelu", dict(approximate="none"), lambda v: F.gelu(v)),
        ("gelu_tanh", "gelu", dict(approximate="tanh"), lambda v: F.gelu(v, approximate="tanh")),
        ("silu", "silu", {}, F.silu),
        ("hardswish", "hardswish", {}, F.hardswish),
        ("hardsigmoid", "hardsigmoid", {}, F.hardsigmoid),
        ("softplus", "softplus", dict(beta=1.0), F.softplus),
        ("elu", "elu", dict(alpha=1.0), F.elu),
        ("elu_half", "elu", dict(alpha=0.5), lambda v: F.elu(v, 0.5)),
        ("leaky_relu", "leaky_relu", dict(slope=0.1), lambda v: F.leaky_relu(v, 0.1)),
        ("relu6", "relu6", {}, F.relu6),
    ):
        record(name, op, attributes, function(x), input=x)


def interpolation() -> None:
    x = numbers("resize.x", 1, 2, 5, 6)
    for size in ([10, 12], [7, 9], [3, 4], [5, 3], [1, 1]):
        suffix = f"_{size[0]}x{size[1]}"
        record("nearest" + suffix, "interpolate", dict(size=size, mode="nearest"), F.interpolate(x, size), input=x)
        for corners in (False, True):
            for mode in ("bilinear", "bicubic"):
                y = F.interpolate(x, size, mode=mode, align_corners=corners)
                name = mode + suffix + ("_corners" if corners else "")
                record(name, "interpolate", dict(size=size, mode=mode, align_corners=corners), y, input=x)


def sequences() -> None:
    x = numbers("seq.x", 3, 4, 5, low=-5, high=5)
    for axis in (0, 1, 2):
        record(f"log_softmax_{axis}", "log_softmax", dict(axis=axis), F.log_softmax(x, axis), input=x)
        record(f"cumsum_{axis}", "cumsum", dict(axis=axis), torch.cumsum(x, axis), input=x)
    tokens, table = torch.tensor([[0, 3, 6], [6, 1, 1]]), numbers("embedding.w", 7, 4)
    record("embedding", "embedding", {}, F.embedding(tokens, table), input=tokens, weight=table)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for group in (convolutions, pooling, normalisation, activations, interpolation, sequences):
        group()
    save_file(TENSORS, sys.argv[1], metadata={"cases": json.dumps(CASES)})
    print(len(CASES), "cases,", len(TENSORS), "tensors")
