"""Writes the logits and parameter counts that the zoo's classifiers must reproduce.

    python classifier_fixtures.py FOLDER [FAMILY or REFERENCE/MODEL ...]

makes one `<family>.safetensors` per family of classifiers.py: `<reference>.<model>.logits`, float32 [classes], for the input of
deterministic.py in the shape of the model's card, and `<reference>.<model>.parameters`, int64 [trained, as published], and for
networks with auxiliary classifiers `<reference>.<model>.auxiliary`, float32 [heads, classes]; `<reference>.<model>.spread`, float32, where
it is not 1. With names only those are computed; what else a family's file has stays.
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

import classifiers
import deterministic


def expected(model: str) -> dict:
    """The tensors of one model; refuses one whose logits explode or ignore the input."""
    reference, name = model.split("/")
    build, run, count = classifiers.REFERENCES[reference]
    built, shape = build(name), classifiers.input_shape(name)
    a, b = (run(built, deterministic.image(image, shape))[0] for image in ("input", "other input"))
    largest, change = float(np.abs(a).max()), float(np.abs(a - b).max() / np.abs(a).max())
    print(f"{model:32} largest logit {largest:10.4g}   changed by the input {change:.4f}", flush=True)
    assert np.isfinite(a).all() and 1e-3 < largest < 1e6 and change > 1e-3, model
    key = f"{reference}.{name}"
    tensors = {f"{key}.logits": np.ascontiguousarray(a), f"{key}.parameters": np.array(count(built), np.int64)}
    if (spread := classifiers.spread(name)) != 1:
        tensors[f"{key}.spread"] = np.array(spread, np.float32)
    auxiliary = classifiers.auxiliary_logits(built, deterministic.image(shape=shape))
    if auxiliary is not None:
        tensors[f"{key}.auxiliary"] = np.ascontiguousarray(auxiliary[:, 0])
    return tensors


def main(folder: pathlib.Path, wanted: list) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    known = {*classifiers.FAMILIES, *classifiers.ALL}
    if unknown := [name for name in wanted if name not in known]:
        sys.exit(f"not in classifiers.py: {', '.join(unknown)}")
    for family, models in classifiers.FAMILIES.items():
        chosen = [model for model in models if not wanted or family in wanted or model in wanted]
        if not chosen:
            continue
        file = folder / f"{family}.safetensors"
        tensors = load_file(file) if wanted and file.exists() else {}
        for model in chosen:
            tensors.update(expected(model))
        save_file(tensors, file)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
