"""Writes what pooling of regions gives, from the definitions in detectors.py, with gradients by torch.

    python region_fixtures.py Tests/AviaryTensorsTests/Fixtures/regions.safetensors

`map`, `regions` and `weights` are the same for all; `<case>.output` is the result and `<case>.gradient` that of the sum of output times
weights with respect to the map. Cases are `align_<samples, 0 for as many as there are places>_<aligned>` and `maximum`.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file

import detectors

SIZE = (3, 2)
SCALE = 0.25


def main(file: pathlib.Path) -> None:
    generator = torch.Generator().manual_seed(7)
    map = torch.rand((2, 3, 9, 11), generator=generator) * 2 - 1
    regions = torch.tensor([
        [0, 4.3, 3.1, 30.7, 25.2], [1, 0, 0, 44, 36], [1, -6.5, -5, 9.25, 60], [0, 20, 20, 20.5, 20.25], [1, 40, 30, 80, 50],
        [0, 7, 9, 7, 9], [1, 100, 100, 120, 130], [0, 12.5, 2, 13.5, 34]])
    weights = torch.rand((len(regions), 3, *SIZE), generator=generator)
    tensors = {"map": map, "regions": regions, "weights": weights}

    def keep(name: str, pool) -> None:
        source = map.clone().requires_grad_()
        output = pool(source)
        (output * weights).sum().backward()
        tensors[f"{name}.output"], tensors[f"{name}.gradient"] = output.detach(), source.grad

    for samples in (2, 3, 0):
        for aligned in (False, True):
            keep(f"align_{samples}_{aligned}".lower(), lambda source: detectors.roi_align(
                source, regions, SIZE, SCALE, samples or -1, aligned))
    keep("maximum", lambda source: detectors.roi_pool(source, regions, SIZE, SCALE))
    save_file(tensors, file)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
