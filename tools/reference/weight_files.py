"""Writes weight files with the reference implementations themselves, for a check of the program from end to end.

    python weight_files.py FOLDER [MODEL ...]

MODEL is `torchvision/resnet18`, `keras/resnet50` and so on; without one, every classifier of classifiers.py. Written are for each

    every model   <model>.input.npy (float32 1×C×H×W)                 <model>.<reference>.expected.npy (logits 1×classes)
    torch         <model>.<reference>.safetensors, .pth, .legacy.pth (from before PyTorch 1.6, inside a checkpoint)
    Keras         <model>.keras.h5 (legacy), .keras.weights.h5, .keras.keras

Weights are those of deterministic.py.
"""

import pathlib
import sys

import numpy as np

import classifiers
import deterministic


def write_torch(model, stem: str) -> None:
    import torch
    from safetensors.torch import save_file

    state = model.state_dict()
    save_file(state, f"{stem}.safetensors")
    torch.save(state, f"{stem}.pth")
    checkpoint = {"epoch": 1, "state_dict": {"module." + key: value for key, value in state.items()}}
    torch.save(checkpoint, f"{stem}.legacy.pth", _use_new_zipfile_serialization=False)


def write_keras(model, stem: str) -> None:
    model.save(f"{stem}.h5")
    model.save(f"{stem}.keras")
    model.save_weights(f"{stem}.weights.h5")


def main(folder: pathlib.Path, models: list) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for reference, name in (model.split("/") for model in models):
        build, run, _ = classifiers.REFERENCES[reference]
        model, images = build(name), deterministic.image(shape=classifiers.input_shape(name))
        write = write_keras if reference == "keras" else write_torch
        write(model, str(folder / f"{name}.{reference}"))
        np.save(folder / f"{name}.input.npy", images)
        np.save(folder / f"{name}.{reference}.expected.npy", run(model, images))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:] or classifiers.ALL)
