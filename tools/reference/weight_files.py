"""Writes weight files with the reference implementations themselves, for a check of the program from end to end.

    python weight_files.py FOLDER [MODEL ...]

MODEL is `torchvision/resnet18`, `keras/resnet50` and so on; without one, every classifier of classifiers.py. Written are for each

    every model   <model>.input.npy (float32 1×C×H×W)                 <model>.<reference>.expected.npy (logits 1×classes)
    torch         <model>.<reference>.safetensors
    Keras         <model>.keras.h5 (legacy), <model>.keras.weights.h5

Weights are those of deterministic.py.
"""

import pathlib
import sys

import numpy as np

import classifiers
import deterministic


def main(folder: pathlib.Path, models: list) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for reference, name in (model.split("/") for model in models):
        build, run, _ = classifiers.REFERENCES[reference]
        model, images = build(name), deterministic.image(shape=classifiers.input_shape(name))
        if reference == "keras":
            model.save(folder / f"{name}.keras.h5")
            model.save_weights(folder / f"{name}.keras.weights.h5")
        else:
            from safetensors.torch import save_file

            save_file(model.state_dict(), folder / f"{name}.{reference}.safetensors")
        np.save(folder / f"{name}.input.npy", images)
        np.save(folder / f"{name}.{reference}.expected.npy", run(model, images))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:] or classifiers.ALL)
