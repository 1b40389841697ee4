"""Writes the PyTorch checkpoints in Tests/AviaryWeightsTests/Fixtures with torch 2.13. Usage: checkpoint_fixtures.py FOLDER"""

import argparse
import collections
import os
import pickle
import sys
import types
import warnings
import zipfile

import numpy as np
import torch
from torch import nn

warnings.simplefilter("ignore")
FOLDER = sys.argv[1]


def path(name):
    return os.path.join(FOLDER, name)


def values(*shape, start=0):
    """Distinct numbers, exact in every float type: k/8 for k = start, start + 1, ..."""
    return ((torch.arange(int(np.prod(shape))) + start) / 8).reshape(shape)


def state():
    """Every type and every way to lie in a storage."""
    dense = values(3, 4)
    return collections.OrderedDict([
        ("dense", dense), ("tied", dense), ("transposed", dense.t()), ("row", dense[1]),
        ("offset", values(10)[3:7]), ("steps", values(6, 6)[1:5:2, ::3]), ("expanded", values(3).expand(2, 3)),
        ("channels_last", values(2, 3, 2, 2).contiguous(memory_format=torch.channels_last)),
        ("half", values(5).half()), ("brain", values(5).bfloat16()), ("double", values(5).double()),
        ("double_column", values(4, 2).double()[:, 1]),
        ("long", torch.tensor([-1, 2**40])), ("int", torch.tensor([-3, 4], dtype=torch.int32)),
        ("short", torch.tensor([-3, 4], dtype=torch.int16)), ("char", torch.tensor([-3, 4], dtype=torch.int8)),
        ("byte", torch.tensor([3, 255], dtype=torch.uint8)), ("bool", torch.tensor([True, False])),
        ("scalar", torch.tensor(2.5)), ("empty", torch.zeros(0, 3)), ("parameter", nn.Parameter(values(2))),
    ])


def save(value, name, **options):
    torch.save(value, path(name), **options)
    # Legacy files would hold the source text of torch's own modules, which is not ours to keep.
    torch.serialization.get_source_lines_and_file = None
    torch.save(value, path(name.replace(".pth", "_legacy.pth")), _use_new_zipfile_serialization=False, **options)


def checkpoint():
    model = collections.OrderedDict(("module._orig_mod." + name, tensor) for name, tensor in state().items())
    model._metadata = {"": {"version": 1}}
    return {
        "epoch": 7, "best_acc": np.float64(91.5), "array": np.arange(3), "arch": "small", "lr": 0.125,
        "args": argparse.Namespace(device=torch.device("cpu"), dtype=torch.float16, size=torch.Size([2, 3])),
        "state_dict": model, "optimizer": {"state": {0: {"momentum_buffer": values(2)}}, "param_groups": [{"lr": 0.1}]},
    }


def whole_model():
    """A pickled module of a class that nobody else has."""
    module = types.ModuleType("models")
    sys.modules["models"] = module

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv = nn.Conv2d(width, 2, 1, bias=False)
            self.bn = nn.BatchNorm2d(2)
            self.register_buffer("grid", values(3))
            self.register_buffer("passing", values(3), persistent=False)
            self.stride = values(4)  # an attribute, and no weight

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(values(1))
            self.blocks = nn.ModuleList([Block(1), Block(3)])
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
            self.names = ["a", "b"]

    for cls in (Block, Small):
        cls.__module__, cls.__qualname__ = "models", cls.__name__
        setattr(module, cls.__name__, cls)
    model = Small()
    start = 0
    for tensor in model.state_dict().values():
        tensor.copy_(values(*tensor.shape, start=start))
        start += tensor.numel()
    return model


def big_endian():
    """The same numbers as a machine with the other byte order would write them."""
    torch.save({"a": values(2, 3), "ids": torch.tensor([1, 2**40])}, path("little.tmp"))
    with zipfile.ZipFile(path("little.tmp")) as source, zipfile.ZipFile(path("big_endian.pth"), "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member.endswith("byteorder"):
                data = b"big"
            if "/data/" in member:
                width = 4 if len(data) == 24 else 8
                data = np.frombuffer(data, f"u{width}").byteswap().tobytes()
            target.writestr(member, data)
    os.remove(path("little.tmp"))


class Script(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(values(2))
        self.register_buffer("shift", values(3, start=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


class Part:
    """A part of a storage, as PyTorch up to 0.4 described it."""


class PartTensor:
    def __reduce__(self):
        return torch._utils._rebuild_tensor, (Part(), 1, (2, 2), (2, 1))


class PartPickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Part):
            return ("storage", torch.FloatStorage, "root", "cpu", 12, ("view", 3, 6))
        return None


def storage_parts():
    with open(path("parts_legacy.pth"), "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, 2)
        pickle.dump(1001, file, 2)
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, file, 2)
        PartPickler(file, 2).dump({"part": PartTensor()})
        pickle.dump(["root"], file, 2)
        file.write(np.int64(12).tobytes() + values(12).numpy().tobytes())


def refused():
    torch.save({"q": torch.quantize_per_tensor(values(4), 0.1, 0, torch.qint8)}, path("quantised.pth"))
    torch.save({"s": torch.eye(3).to_sparse()}, path("sparse.pth"))
    torch.save({"c": torch.zeros(2, dtype=torch.complex64)}, path("complex.pth"))
    torch.save({"epoch": 3}, path("no_tensors.pth"))


save(state(), "state.pth")
save(checkpoint(), "checkpoint.pth")
save(whole_model(), "module.pth")
torch.save(state(), path("protocol4.pth"), pickle_protocol=4)
torch.save(state(), path("protocol4_legacy.pth"), pickle_protocol=4, _use_new_zipfile_serialization=False)
torch.save(values(3), path("tensor.pth"))
torch.save({"ema": None, "model": {"a": values(2)}}, path("no_ema.pth"))
torch.save({"model": {"a": values(2)}, "ema": {"a": values(2, start=9)}}, path("ema.pth"))
torch.jit.script(Script()).save(path("script.pth"))
big_endian()
storage_parts()
refused()
torch.serialization.set_crc32_options(False)
torch.save({"a": values(3)}, path("no_checksums.pth"))
