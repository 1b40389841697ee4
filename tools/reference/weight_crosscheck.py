"""Proves the weight formats and name maps against Keras, torchvision, safetensors and NumPy.

    weight_crosscheck.py make FOLDER     Keras writes models with random weights
    AVIARY_CROSSCHECK=FOLDER swift test -c release -Xswiftc -enable-testing --filter CrossCheckTests
    weight_crosscheck.py check FOLDER    Keras, torchvision, safetensors and NumPy load what came out

Needs keras 3.15, torch 2.13, torchvision 0.28, safetensors and h5py; about 3 GB of disk.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")

import h5py
import keras
import numpy as np
import torch
import torchvision
from safetensors.numpy import load_file

MODELS = {
    "vgg16": lambda: keras.applications.VGG16(weights=None),
    "resnet50": lambda: keras.applications.ResNet50(weights=None),
    "mobilenet": lambda: keras.applications.MobileNet(alpha=0.25, weights=None),
}


def randomize(model):
    random = np.random.default_rng(1)
    for variable in model.weights:
        values = random.standard_normal(variable.shape) * 0.05
        if variable.name == "moving_variance":
            values = 1 + np.abs(values)
        if variable.name == "gamma":
            values = 1 + values
        if "kernel" in variable.name:
            values = values / 0.05 * np.sqrt(2 / np.prod(variable.shape[:-1]))
        variable.assign(values.astype("float32"))


def make(folder):
    for name, build in MODELS.items():
        model = build()
        randomize(model)
        model.save_weights(f"{folder}/{name}.keras.weights.h5")
        model.save(f"{folder}/{name}.keras.h5")
        picture = np.random.default_rng(2).standard_normal((1, 224, 224, 3)).astype("float32")
        np.savez(f"{folder}/{name}.expected.npz", picture=picture, output=model.predict(picture, verbose=0))


def check(folder):
    for name, build in MODELS.items():
        expected = np.load(f"{folder}/{name}.expected.npz")
        reference = build()
        reference.load_weights(f"{folder}/{name}.keras.weights.h5")
        for ending in ("h5", "weights.h5"):
            model = build()
            model.load_weights(f"{folder}/{name}.ours.{ending}")
            for ours, theirs in zip(model.weights, reference.weights, strict=True):
                assert np.array_equal(np.asarray(ours), np.asarray(theirs)), (name, ending, theirs.path)
        tensors = load_file(f"{folder}/{name}.ours.safetensors")
        arrays = np.load(f"{folder}/{name}.ours.npz")
        assert sorted(tensors) == sorted(arrays.files)
        assert all(np.array_equal(tensors[key], arrays[key]) for key in tensors)
        print(name, "keras loads both formats bit-equal; safetensors and npz agree")
    check_types(folder)
    check_torchvision_vgg(folder)
    check_torchvision_names(folder)


def check_types(folder):
    with h5py.File(f"{folder}/types.h5") as file:
        for dtype in ("float32", "float16", "bfloat16", "int32", "int64", "uint8", "bool"):
            values = file[f"{dtype}/{dtype}/kernel"][()]
            # Keras cannot load bfloat16 from this format, not even its own: it is written as float32.
            dtype = dtype.replace("bfloat16", "float32")
            assert values.dtype == dtype and np.array_equal(values, (np.arange(8, 13) / 8).astype(dtype)), dtype
    keras.config.set_dtype_policy("bfloat16")
    for name in ("bfloat16.weights.h5", "bfloat16_model.h5"):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="fc")])
        model.load_weights(f"{folder}/{name}")
        kernel = keras.ops.convert_to_numpy(keras.ops.cast(model.weights[0], "float32"))
        assert np.array_equal(kernel, np.arange(6).reshape(3, 2) / 8), (name, kernel)
    keras.config.set_dtype_policy("float32")
    print("h5py reads every type, keras bfloat16")


def check_torchvision_vgg(folder):
    """The whole forward pass, which notices a wrong flatten order or kernel layout."""
    model = torchvision.models.vgg16().eval()
    tensors = load_file(f"{folder}/vgg16.ours.safetensors")
    model.load_state_dict({key: torch.from_numpy(value) for key, value in tensors.items()}, strict=True)
    expected = np.load(f"{folder}/vgg16.expected.npz")
    with torch.no_grad():
        output = model(torch.from_numpy(expected["picture"]).permute(0, 3, 1, 2)).softmax(1).numpy()
    difference = np.abs(output - expected["output"]).max() / expected["output"].max()
    print("vgg16 in torchvision: largest relative difference", difference)
    assert difference < 1e-4


def check_torchvision_names(folder):
    """Every name and shape torchvision has, but for the biases only Keras' convolutions have."""
    tensors = load_file(f"{folder}/resnet50.ours.safetensors")
    model = torchvision.models.resnet50()
    extra = {key for key in tensors if key not in model.state_dict()}
    missing = [k for k, v in model.state_dict().items() if "num_batches" not in k and tensors[k].shape != tuple(v.shape)]
    assert all(key.endswith(".bias") for key in extra) and not missing, (extra, missing)
    print("resnet50 has torchvision's names and shapes, and", len(extra), "biases")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2])
