"""Writes what torch makes of operands that are not numbers or infinite, forward and in the gradient.

    python nonfinite_fixtures.py FILE

makes a safetensors file with the tensors `<case>.input<i>`, `<case>.output` and `<case>.gradient<i>`, the gradient of the
output's sum with respect to each floating-point input. The Swift test has a function for each case of the same name.

Left out is what torch does one way or another: GELU of infinity (which depends on its vectors), the order of equal values,
values that a weight of 0 is multiplied by (beside an edge), and derivatives at kinks.
"""

import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import deterministic

NAN, INF = float("nan"), float("inf")
SPECIAL = torch.tensor([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 7.0, -7.0, 30.0, -30.0, 2.0])
TENSORS: dict = {}


def numbers(name: str, *shape: int) -> torch.Tensor:
    """Deterministic numbers in [-1, 1)."""
    return torch.from_numpy(deterministic.uniform(name, shape)) * 2 - 1


def planted(name: str, *shape: int, values=(NAN, INF, -INF)) -> torch.Tensor:
    """Numbers with some others in their midst, far from each other."""
    x = numbers(name, *shape)
    for index, value in enumerate(values):
        x.view(-1)[(2 * index + 1) * x.numel() // (2 * len(values))] = value
    return x


def record(name: str, function, *inputs: torch.Tensor) -> None:
    """Adds one case to the file."""
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    output = function(*inputs)
    for index, x in enumerate(inputs):
        TENSORS[f"{name}.input{index}"] = x.detach().clone().contiguous()
    TENSORS[f"{name}.output"] = output.detach().clone().contiguous()
    if not output.requires_grad:
        return
    output.sum().backward()
    for index, x in enumerate(inputs):
        if x.is_floating_point():
            TENSORS[f"{name}.gradient{index}"] = x.grad.clone().contiguous()


def elements() -> None:
    for name, function in {
        "relu": F.relu, "relu6": F.relu6, "leaky relu": lambda x: F.leaky_relu(x, 0.1), "elu": F.elu, "gelu": F.gelu,
        "gelu tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
        "hard sigmoid": lambda x: F.hardsigmoid(x.detach()), "hard swish": F.hardswish, "softplus": F.softplus, "exp": torch.exp,
        "log": torch.log, "square root": torch.sqrt, "square": torch.square, "abs": torch.abs,
        "power 3": lambda x: x**3, "power 0.5": lambda x: x**0.5, "clip": lambda x: F.hardtanh(x, -2.5, 2.5),
        "affine": lambda x: 2 * x + 1, "sine": torch.sin, "cosine": torch.cos,
        "prelu": lambda x: F.prelu(x.detach(), torch.tensor([0.25])),
    }.items():
        left_out = {"gelu": INF, "gelu tanh": INF, "power 0.5": -INF}.get(name)
        record(name, function, SPECIAL[SPECIAL != left_out])
    a, b = SPECIAL.view(-1, 1), SPECIAL.view(1, -1)
    for name, function in {
        "add": torch.add, "subtract": torch.subtract, "multiply": torch.multiply, "divide": torch.divide,
        "maximum": torch.maximum, "minimum": torch.minimum,
        "equal": lambda x, y: (x == y).float(), "less": lambda x, y: (x < y).float(),
        "greater": lambda x, y: (x > y).float(), "at most": lambda x, y: (x <= y).float(),
        "at least": lambda x, y: (x >= y).float(),
        "select": lambda x, y: torch.where(x > 0, x, y),
    }.items():
        record(name, function, a, b)


def rows() -> None:
    """Rows of 20 values, more than one vector and not a multiple of it."""
    x = numbers("rows", 8, 20)
    x[0, 3], x[0, 18] = NAN, 5
    x[1, 2] = INF
    x[2, 17] = -INF
    x[3, 1], x[3, 19] = INF, -INF
    x[4, 4], x[4, 9], x[4, 19] = INF, -INF, NAN
    x[5] = -INF
    x[6] = NAN
    for name, function in {
        "sum": lambda x: x.sum(1), "mean": lambda x: x.mean(1), "largest": lambda x: x.amax(1),
        "smallest": lambda x: x.amin(1), "largest of columns": lambda x: x.amax(0),
        "variance": lambda x: x.detach().var(1, unbiased=True), "norm": lambda x: x.norm(2, 1),
        "log-sum-exp": lambda x: x.logsumexp(1), "cumulative sum": lambda x: x.cumsum(1),
        "softmax": lambda x: x.softmax(1), "log-softmax": lambda x: x.log_softmax(1),
        "top-k": lambda x: x.detach().topk(5)[0], "sort": lambda x: x.sort(stable=True, dim=1)[0],
        "sort falling": lambda x: x.sort(stable=True, dim=1, descending=True)[0],
        "position of largest": lambda x: x.argmax(1).float(), "position of smallest": lambda x: x.argmin(1).float(),
        "layer norm": lambda x: F.layer_norm(x, [20]), "RMS norm": lambda x: F.rms_norm(x, [20], eps=1e-5),
        "cross-entropy": lambda x: F.cross_entropy(x, torch.arange(8) * 2, reduction="none"),
    }.items():
        record(name, function, x)


def images() -> None:
    x = planted("images", 2, 16, 6, 7, values=(NAN, INF, -INF, INF, NAN, -INF))
    x[1, 3] = -INF
    w, b = numbers("images.w", 16), numbers("images.b", 16)
    mean, variance = numbers("images.mean", 16), numbers("images.var", 16) + 1.5
    for name, function in {
        "max pooling": lambda x: F.max_pool2d(x, 2), "max pooling, overlapping": lambda x: F.max_pool2d(x, 3, 2, 1, 1, True),
        "max pooling, adaptive": lambda x: F.adaptive_max_pool2d(x, (4, 3)), "average pooling": lambda x: F.avg_pool2d(x, 3, 1, 1),
        "average pooling, global": lambda x: F.adaptive_avg_pool2d(x, 1),
        "batch norm, training": lambda x: F.batch_norm(x, None, None, w, b, True),
        "batch norm, training, with relu": lambda x: F.relu(F.batch_norm(x, None, None, w, b, True)),
        "batch norm": lambda x: F.batch_norm(x, mean, variance, w, b),
        "batch norm with relu": lambda x: F.relu(F.batch_norm(x, mean, variance, w, b)),
        "group norm": lambda x: F.group_norm(x, 4, w, b), "local response norm": lambda x: F.local_response_norm(x, 3, 0.1, 0.5, 1.0),
        "pad": lambda x: F.pad(x, (1, 2, 0, 1)), "pad by reflection": lambda x: F.pad(x, (1, 2, 0, 1), mode="reflect"),
        "nearest": lambda x: F.interpolate(x, (9, 5)),
        "bicubic": lambda x: F.interpolate(x, (9, 5), mode="bicubic"),
    }.items():
        record(name, function, x)
    TENSORS.update({"images.scale": w, "images.shift": b, "images.mean": mean, "images.variance": variance})
    middle = numbers("middle", 1, 1, 6, 7)
    middle[0, 0, 2, 3], middle[0, 0, 4, 5] = NAN, INF
    record("bilinear", lambda x: F.interpolate(x, (9, 12), mode="bilinear"), middle)
    line, box = planted("line", 1, 3, 12), planted("box", 1, 2, 4, 4, 4)
    record("max pooling of negative infinity", lambda x: F.max_pool1d(x, 2), torch.tensor([[[1.0, -INF, -INF, -INF]]]))
    record("max pooling 1-D", lambda x: F.max_pool1d(x, 3), line)
    record("max pooling 3-D", lambda x: F.max_pool3d(x, 2), box)


def products() -> None:
    x, small = planted("conv.x", 1, 16, 9, 9), planted("conv.small", 1, 3, 9, 9)
    w, b = numbers("conv.w", 16, 16, 3, 3), numbers("conv.b", 16)
    record("convolution", lambda x, w, b: F.conv2d(x, w, b, padding=1), x, w, b)
    record("convolution with relu", lambda x, w, b: F.relu(F.conv2d(x, w, b, padding=1)), x, w, b)
    record("convolution, weights", lambda x, w: F.conv2d(x, w), numbers("conv.y", 1, 16, 6, 6), planted("conv.v", 16, 16, 3, 3))
    record("convolution, stride", lambda x, w: F.conv2d(x, w, stride=2), small, numbers("conv.s", 4, 3, 3, 3))
    record("convolution, pointwise", F.conv2d, x, numbers("conv.p", 16, 16, 1, 1))
    record("convolution, depthwise", lambda x, w: F.conv2d(x, w, padding=1, groups=16), x, numbers("conv.d", 16, 1, 3, 3))
    record("transposed convolution", lambda x, w: F.conv_transpose2d(x, w, stride=2), small, numbers("conv.t", 3, 4, 3, 3))
    record("matrix product", torch.matmul, planted("a", 6, 20), planted("b", 20, 9))
    record("linear", F.linear, planted("c", 6, 20), numbers("d", 9, 20), numbers("e", 9))
    tokens = torch.tensor([[0, 3, 6], [6, 1, 1]])
    record("embedding", F.embedding, tokens, planted("table", 7, 4))
    record("gather", lambda x, index: x.gather(1, index), planted("gather", 2, 8), tokens)
    record("scatter", lambda x, index, y: x.scatter_add(1, index, y), planted("scatter", 2, 8), tokens, planted("values", 2, 3))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for group in (elements, rows, images, products):
        group()
    save_file(TENSORS, sys.argv[1])
    print(len({name.rsplit(".", 1)[0] for name in TENSORS}), "cases,", len(TENSORS), "tensors")
