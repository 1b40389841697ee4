"""Writes what torchvision's networks for pixels make of a picture of odd size, with deterministic weights.

    python segmenter_fixtures.py Tests/AviaryZooTests/Fixtures/dense/segmenters.safetensors

`<model>.<output>`: every 7th of the values, `<model>.<output>.most` the largest of all, `<model>.counts` tensors and parameters.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

import classifiers
import deterministic

SHAPE = (1, 3, 75, 101)
STEP = 7


@torch.no_grad()
def main(file: pathlib.Path) -> None:
    tensors = {}
    for name in ("fcn_resnet50", "deeplabv3_resnet50"):
        make = getattr(classifiers.import_torchvision().models.segmentation, name)
        model = make(weights=None, weights_backbone=None, aux_loss=True, num_classes=21).eval()
        deterministic.fill_torch(model)
        state = [key for key in model.state_dict() if "num_batches" not in key]
        tensors[f"{name}.counts"] = np.array([len(state), sum(p.numel() for p in model.parameters())], np.int64)
        for output, value in model(torch.from_numpy(deterministic.image(shape=SHAPE))).items():
            tensors[f"{name}.{output}"] = value.flatten()[::STEP].numpy().copy()
            tensors[f"{name}.{output}.most"] = value.abs().max().reshape(1).numpy()
            print(name, output, tuple(value.shape), float(value.std()), float(value.abs().max()))
    save_file(tensors, file)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
