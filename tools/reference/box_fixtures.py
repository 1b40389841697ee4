"""Writes random boxes, COCO's average precision of them by pycocotools, and which of them non-maximum suppression keeps.

    python box_fixtures.py Tests/AviaryVisionTests/Fixtures/boxes.json

Coordinates are quarters of pixels and scores 64ths, so that float32 holds them and some are equal. A detection is [picture, x, y, width,
height, label, score], an object [picture, x, y, width, height, label, is crowd].
"""

import contextlib
import json
import os
import pathlib
import sys

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

# name: (pictures, labels, objects per picture, detections per picture without an object, share of crowds, of objects found)
CASES = {
    "sparse": (12, 4, 3, 2, 0.0, 0.8),
    "crowds": (10, 3, 5, 4, 0.3, 0.9),
    "dense": (3, 2, 12, 20, 0.1, 1.0),
    "only crowds": (2, 1, 2, 2, 1.0, 1.0),
    # More detections of a class in a picture than count.
    "many": (1, 1, 25, 110, 0.04, 1.0),
}


def box(random: np.random.Generator) -> np.ndarray:
    """x, y, width and height inside of 100×100 pixels, in quarters of them."""
    corner, size = random.integers(0, 240, 2), random.integers(20, 160, 2)
    return np.concatenate([corner, size]) / 4


def case(name: str) -> tuple[list, list]:
    pictures, labels, objects, others, crowds, found = CASES[name]
    random = np.random.default_rng(sum(name.encode()))
    truth, detections = [], []
    for picture in range(pictures):
        for _ in range(objects):
            place, label = box(random), int(random.integers(labels))
            truth.append([picture, *place.tolist(), label, int(random.random() < crowds)])
            for _ in range(int(random.random() < found) + int(random.random() < 0.3)):
                moved = place + random.integers(-8, 9, 4) / 4 * random.integers(0, 4)
                moved[2:] = np.maximum(moved[2:], 1)
                taken_for = label if random.random() < 0.9 else int(random.integers(labels))
                detections.append([picture, *moved.tolist(), taken_for, int(random.integers(10, 65)) / 64])
        for _ in range(others):
            score = int(random.integers(0, 50)) / 64
            detections.append([picture, *box(random).tolist(), int(random.integers(labels)), score])
    return detections, truth


def average_precision(detections: list, truth: list, pictures: int, labels: int) -> dict:
    """COCOeval's numbers for all areas and 100 detections, and those of each class; null for those that have none."""
    coco = COCO()
    coco.dataset = {
        "info": {}, "images": [{"id": index} for index in range(pictures)],
        "categories": [{"id": label} for label in range(labels)],
        "annotations": [
            {"id": index + 1, "image_id": picture, "bbox": [x, y, w, h], "area": w * h, "category_id": label, "iscrowd": crowd}
            for index, (picture, x, y, w, h, label, crowd) in enumerate(truth)]}
    coco.createIndex()
    results = coco.loadRes([
        {"image_id": picture, "bbox": [x, y, w, h], "category_id": label, "score": score}
        for picture, x, y, w, h, label, score in detections])
    evaluation = COCOeval(coco, results, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    # Thresholds, recalls, classes; areas and numbers of detections are those that the summary begins with.
    precision = evaluation.eval["precision"][:, :, :, 0, 2]

    def scores(precision: np.ndarray) -> list | None:
        if precision.size == 0 or not (precision > -1).any():
            return None
        return [float(part[part > -1].mean()) for part in (precision, precision[0], precision[5])]

    return {"scores": scores(precision), "classes": [scores(precision[:, :, label]) for label in range(labels)]}


def kept(detections: list, threshold: float) -> list:
    """What suppression keeps of the first picture, as torchvision documents it: pair by pair, in float32, each class for itself."""
    first = [detection for detection in detections if detection[0] == 0]
    x, y, w, h = np.array([one[1:5] for one in first], np.float32).T
    width = np.minimum.outer(x + w, x + w) - np.maximum.outer(x, x)
    height = np.minimum.outer(y + h, y + h) - np.maximum.outer(y, y)
    both = np.maximum(width, 0) * np.maximum(height, 0)
    overlaps = both / (np.add.outer(w * h, w * h) - both)
    stays = []
    for index in np.argsort([-one[6] for one in first], kind="stable").tolist():
        if not any(first[better][5] == first[index][5] and overlaps[better, index] > threshold for better in stays):
            stays.append(index)
    return stays


def main(file: pathlib.Path) -> None:
    cases = []
    for name, (pictures, labels, *_) in CASES.items():
        detections, truth = case(name)
        with contextlib.redirect_stdout(open(os.devnull, "w")):
            expected = average_precision(detections, truth, pictures, labels)
        cases.append({
            "name": name, "pictures": pictures, "detections": detections, "objects": truth, **expected,
            "kept": [{"threshold": threshold, "indices": kept(detections, threshold)} for threshold in (0.3, 0.5, 0.7)]})
    file.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
