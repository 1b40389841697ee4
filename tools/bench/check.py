"""How far logits lie from a reference, relative to its largest value, as JSON: python check.py REFERENCE.npy FILE..."""

import json
import pathlib
import sys

import numpy as np

reference = np.load(sys.argv[1])
differences = {}
for file in map(pathlib.Path, sys.argv[2:]):
    logits = np.load(file)
    logits = logits["logits"] if file.suffix == ".npz" else logits
    same = logits.shape == reference.shape
    differences[file.stem] = float(np.abs(logits - reference).max() / np.abs(reference).max()) if same else float("inf")
print(json.dumps(differences))
