"""Writes weight files with the reference implementations themselves, for a check of the program from end to end.

    python weight_files.py FOLDER [MODEL ...]

MODEL is `torchvision/resnet18`, `keras/resnet50` and so on; without one, every classifier of classifiers.py. Written are
`input.npy` (float32 1×3×224×224) and for each model

    torchvision   <model>.torchvision.safetensors, .pth, .legacy.pth         <model>.torchvision.expected.npy
    Keras         <model>.keras.h5 (legacy), .keras.weights.h5, .keras.keras <model>.keras.expected.npy

Expected values are logits 1×1000. Weights are those of deterministic.py.
"""

import pathlib
import sys

import numpy as np

import classifiers
import deterministic


def write_torchvision(folder: pathlib.Path, name: str) -> None:
    import torch
    from safetensors.torch import save_file

    model = classifiers.torchvision_model(name)
    save_file(model.state_dict(), folder / f"{name}.torchvision.safetensors")
    torch.save(model.state_dict(), folder / f"{name}.torchvision.pth")
    checkpoint = {"epoch": 1, "state_dict": {"module." + key: value for key, value in model.state_dict().items()}}
    torch.save(checkpoint, folder / f"{name}.torchvision.legacy.pth", _use_new_zipfile_serialization=False)
    logits = classifiers.torchvision_logits(model, deterministic.image())
    np.save(folder / f"{name}.torchvision.expected.npy", logits)


def write_keras(folder: pathlib.Path, name: str) -> None:
    model = classifiers.keras_model(name)
    model.save(folder / f"{name}.keras.h5")
    model.save(folder / f"{name}.keras.keras")
    model.save_weights(folder / f"{name}.keras.weights.h5")
    np.save(folder / f"{name}.keras.expected.npy", classifiers.keras_logits(model, deterministic.image()))


def main(folder: pathlib.Path, models: list) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "input.npy", deterministic.image())
    for framework, name in (model.split("/") for model in models):
        {"torchvision": write_torchvision, "keras": write_keras}[framework](folder, name)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:] or classifiers.ALL)
