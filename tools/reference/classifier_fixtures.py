"""Writes the logits and parameter counts that the zoo's classifiers must reproduce.

    python classifier_fixtures.py FOLDER

makes `classifiers.safetensors` (`<model>.logits` of torchvision, `keras.<model>.logits` of Keras, float32 [1000], for the
input of deterministic.py) and `classifiers.json` (trainable and total parameters; buffers of torch count in neither).
"""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

import classifiers
import deterministic


def logits(run, model, name: str) -> np.ndarray:
    """The logits of the fixed input; refuses a model whose logits explode or ignore the input."""
    first, second = deterministic.image(), deterministic.image("other input")
    a, b = run(model, first)[0], run(model, second)[0]
    largest, change = float(np.abs(a).max()), float(np.abs(a - b).max() / np.abs(a).max())
    print(f"{name:24} largest logit {largest:10.4g}   changed by the input {change:.4f}", flush=True)
    assert np.isfinite(a).all() and 1e-3 < largest < 1e6 and change > 1e-3, name
    return np.ascontiguousarray(a)


def main(folder: pathlib.Path) -> None:
    tensors, counts = {}, {"torchvision": {}, "keras": {}}
    for name in classifiers.TORCHVISION:
        model = classifiers.torchvision_model(name)
        tensors[f"{name}.logits"] = logits(classifiers.torchvision_logits, model, name)
        trainable = sum(p.numel() for p in model.parameters())
        counts["torchvision"][name] = {"trainable": trainable, "total": trainable}
    for name in classifiers.KERAS:
        model = classifiers.keras_model(name)
        tensors[f"keras.{name}.logits"] = logits(classifiers.keras_logits, model, f"keras.{name}")
        trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        counts["keras"][name] = {"trainable": trainable, "total": model.count_params()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "classifiers.safetensors")
    (folder / "classifiers.json").write_text(json.dumps(counts, indent=2) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
