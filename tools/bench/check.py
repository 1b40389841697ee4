"""How far an output lies from a reference, relative to its largest value, as JSON: python check.py NAME REFERENCE.npy FILE..."""

import json
import pathlib
import sys

import numpy as np

name, reference = sys.argv[1], np.load(sys.argv[2])
differences = {}
for file in map(pathlib.Path, sys.argv[3:]):
    output = np.load(file)
    output = output[name] if file.suffix == ".npz" else output
    same = output.shape == reference.shape
    differences[file.stem] = float(np.abs(output - reference).max() / np.abs(reference).max()) if same else float("inf")
print(json.dumps(differences))
