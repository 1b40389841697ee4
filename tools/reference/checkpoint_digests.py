"""Writes what PyTorch loads from real checkpoints, as digests: Tests/AviaryWeightsTests/Fixtures/checkpoints.json.

    checkpoint_digests.py FOLDER-OF-WEIGHTS > checkpoints.json

The digest of a file is the SHA-256 of, tensor by tensor in the order of the state dictionary, a line `name dtype extents` and the
row-major bytes, in the types that Aviary loads (float64 as float32, int8 and int16 as int32). Whole pickled models are loaded with
empty classes in place of their own.
"""

import hashlib
import json
import os
import pickle
import sys
import types

import torch

# Where the state dictionary is: keys, and the prefix of all names.
WRAPPED = {"resnet20-cifar10-12fca82f.th": (["state_dict"], "module."), "yolov5n.pt": (["model"], "")}
LOADED_AS = {torch.float64: torch.float32, torch.int8: torch.int32, torch.int16: torch.int32}


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if module.startswith("models."):
            return type(name, (torch.nn.Module,), {"__module__": module})
        if module.split(".")[0] in ("torch", "collections") or (module, name) == ("__builtin__", "set"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not needed for weights")


def state_dictionary(path):
    keys, prefix = WRAPPED.get(os.path.basename(path), ([], ""))
    module = types.SimpleNamespace(Unpickler=Unpickler, load=pickle.load, __name__="stubs")
    value = torch.load(path, map_location="cpu", weights_only=False, pickle_module=module)
    for key in keys:
        value = value[key]
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    assert all(name.startswith(prefix) for name in value)
    return {name[len(prefix):]: tensor for name, tensor in value.items()}


def digest(tensors):
    result = hashlib.sha256()
    for name, tensor in tensors.items():
        tensor = tensor.detach().to(LOADED_AS.get(tensor.dtype, tensor.dtype)).contiguous()
        extents = " ".join(str(extent) for extent in tensor.shape)
        result.update(f"{name} {str(tensor.dtype).removeprefix('torch.')} {extents}\n".encode())
        result.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return result.hexdigest()


folder = sys.argv[1]
files = {}
for name in sorted(os.listdir(folder)):
    if os.path.splitext(name)[1] in (".pth", ".pt", ".th", ".ckpt"):
        tensors = state_dictionary(os.path.join(folder, name))
        files[name] = {"tensors": len(tensors), "sha256": digest(tensors)}
print(json.dumps(files, indent=2))
