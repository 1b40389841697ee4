"""Writes masks that pycocotools makes of polygons and run lengths.

    python mask_fixtures.py Tests/AviaryVisionTests/Fixtures/masks.json [INSTANCES]

    "cases":  [{"polygons", "width", "height", "area", "counts", "compressed"}]    `counts` are run lengths, column by column
    "assets": [{"id", "area", "digest"}]    of the masks of a COCO file: pixels, and the Adler-32 of its bytes 0 and 1, row by row

Without a file INSTANCES, what is under "assets" stays.
"""

import json
import pathlib
import sys
import zlib

import numpy as np
from pycocotools import mask as coco

import deterministic


def runs(mask: np.ndarray) -> list:
    """Run lengths of a mask H×W, as `mask.py` of pycocotools describes them."""
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()
    return ([0] if flat[0] else []) + lengths


def rasterised(polygons, width, height):
    return coco.merge(coco.frPyObjects(polygons, height, width))


def main(path: str, instances: str | None) -> None:
    cases = []

    def add(polygons, width, height):
        encoded = rasterised(polygons, width, height)
        cases.append(dict(
            polygons=polygons, width=width, height=height, area=int(coco.area(encoded)),
            counts=runs(coco.decode(encoded)), compressed=encoded["counts"].decode()))

    add([[1, 1, 8, 1, 8, 6, 1, 6]], 12, 10)
    add([[0, 0, 12, 0, 12, 10, 0, 10]], 12, 10)
    add([[2.5, 0.5, 9.2, 4.4, 3.3, 9.9]], 12, 10)
    add([[-4, -3, 15, 2, 6, 14]], 12, 10)
    add([[1, 1, 1, 1, 5, 1, 5, 8, 5, 8, 1, 8]], 12, 10)
    add([[2, 2, 2, 2, 2, 2]], 12, 10)
    add([[0, 0, 5, 0, 5, 5, 0, 5], [3, 3, 9, 3, 9, 9, 3, 9]], 12, 10)
    add([[1, 1, 9, 9, 9, 1, 1, 9]], 12, 10)
    for case in range(60):
        width, height, points = 5 + case % 40, 7 + case * 3 % 50, 3 + case % 9
        numbers = deterministic.uniform(f"polygon {case}", (points, 2)).astype(float)
        numbers = (numbers * 1.3 - 0.15) * np.array([width, height])
        if case % 2:
            numbers = numbers.round(2)
        add([numbers.reshape(-1).tolist()], width, height)
    assets = []
    if instances:
        document = json.loads(pathlib.Path(instances).read_text())
        sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
        for annotation in document["annotations"]:
            if annotation["segmentation"]:
                encoded = rasterised(annotation["segmentation"], *sizes[annotation["image_id"]])
                assets.append(dict(
                    id=annotation["id"], area=int(coco.area(encoded)),
                    digest=zlib.adler32(np.ascontiguousarray(coco.decode(encoded)).tobytes())))
    elif pathlib.Path(path).exists():
        assets = json.loads(pathlib.Path(path).read_text())["assets"]
    pathlib.Path(path).write_text(json.dumps(dict(cases=cases, assets=assets)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
