"""Writes what darknet's heads must learn: losses and gradients of [yolo], [region] and [detection], and what the last's map means as boxes.

    python darknet_loss_fixtures.py Tests/AviaryZooTests/Fixtures/darknet_losses.safetensors

Cell by cell and object by object in float64, from what `yolo_layer.c`, `region_layer.c` and `detection_layer.c` of pjreddie/darknet state:
for each number of the map the step that it makes ("delta", the negative gradient), and the loss whose gradient that is, by its three parts.
Steps of [region]'s centres and certainties go through the logistic function's slope, as on a GPU. Everything is a mean over the pictures.

`<case>.map`, `<case>.objects` (picture, label, x, y, w, h in shares), `<case>.loss` (box, object, class), `<case>.gradient`, `<case>.rows`; the
metadata hold the section of each case's `.cfg`.
"""

import math
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

import deterministic

OBJECTS = [
    # Two of one size in one cell, one as large as no anchor of the mask, one at the edge.
    (0, 2, 0.41, 0.55, 0.30, 0.42), (0, 0, 0.42, 0.56, 0.31, 0.40), (0, 3, 0.83, 0.20, 0.08, 0.11),
    (0, 1, 0.98, 0.97, 0.04, 0.30), (1, 1, 0.10, 0.85, 0.20, 0.25), (1, 3, 0.60, 0.40, 0.55, 0.62)]
CASES = {
    "yolo": dict(anchors=[0.7, 0.7, 1.2, 2.1, 2.5, 2.4, 1.5, 1.2, 4.2, 3.9], mask=[1, 2, 4], num=5, classes=4, ignore_thresh=0.3),
    "yolo_truth": dict(
        anchors=[0.7, 0.7, 1.2, 2.1, 2.5, 2.4, 1.5, 1.2, 4.2, 3.9], mask=[0, 2, 4], num=5, classes=4, ignore_thresh=0.2,
        truth_thresh=0.35),
    "region": dict(
        anchors=[0.8, 0.9, 2.3, 2.2, 4.1, 3.6], num=3, classes=4, softmax=1, rescore=1, bias_match=1, thresh=0.3, coord_scale=1,
        object_scale=5, noobject_scale=1, class_scale=2),
    "region_plain": dict(anchors=[0.8, 0.9, 2.3, 2.2, 4.1, 3.6], num=3, classes=4, thresh=0.25),
    "detection": dict(
        classes=4, coords=4, side=3, num=2, sqrt=1, rescore=1, object_scale=1, noobject_scale=0.5, class_scale=1, coord_scale=5),
    "detection_softmax": dict(classes=4, coords=4, side=3, num=3, softmax=1, class_scale=2),
}
# W×H of the maps with cells, which here are the pictures as well.
WIDTH, HEIGHT = 7, 5


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def log_loss(x, target):
    """Cross-entropy of a logit, without the entropy of the target, which no step sees."""
    return max(x, 0) - x * target + math.log1p(math.exp(-abs(x)))


def iou(a, b):
    sides = [min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2) - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2) for k in (0, 1)]
    common = sides[0] * sides[1] if min(sides) > 0 else 0
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def shape_iou(a, b):
    return iou((0, 0, *a[2:]), (0, 0, *b[2:]))


class Anchored:
    """What [yolo] and [region] share: boxes of anchors in cells."""

    def __init__(self, section, options, numbers):
        self.options, self.is_region, self.map = options, section == "region", numbers
        self.classes = options["classes"]
        self.sides = np.array(options["anchors"], np.float32).astype(float).reshape(-1, 2) / (WIDTH, HEIGHT)
        self.mask = options.get("mask", list(range(options["num"])))
        self.delta = np.zeros_like(numbers)
        self.parts = {}

    def box(self, place):
        n, y, x = place
        t = self.map[n, :4, y, x]
        side = self.sides[self.mask[n]]
        return ((x + sigmoid(t[0])) / WIDTH, (y + sigmoid(t[1])) / HEIGHT, math.exp(t[2]) * side[0], math.exp(t[3]) * side[1])

    def certainty(self, place, target, scale):
        n, y, x = place
        p = sigmoid(self.map[n, 4, y, x])
        slope = p * (1 - p) if self.is_region else 1
        self.delta[n, 4, y, x] = scale * (target - p) * slope
        self.parts["object", place] = scale * ((target - p) ** 2 / 2 if self.is_region else log_loss(self.map[n, 4, y, x], target))

    def coordinates(self, place, truth, scale):
        n, y, x = place
        scale *= 2 - truth[2] * truth[3]
        side, loss = self.sides[self.mask[n]], 0
        targets = (truth[0] * WIDTH - x, truth[1] * HEIGHT - y, math.log(truth[2] / side[0]), math.log(truth[3] / side[1]))
        for k, target in enumerate(targets):
            t = self.map[n, k, y, x]
            p = sigmoid(t) if k < 2 else t
            slope = p * (1 - p) if k < 2 and self.is_region else 1
            self.delta[n, k, y, x] = scale * (target - p) * slope
            loss += scale * (log_loss(t, target) if k < 2 and not self.is_region else (target - p) ** 2 / 2)
        self.parts["box", place] = loss

    def labels(self, place, label, scale):
        n, y, x = place
        logits, shares = self.map[n, 5:, y, x], self.options.get("softmax", 0)
        known = self.parts.get(("labels", place), set())
        # Where classes are by themselves a second object adds its own; in a softmax the last one counts.
        known = {label} if shares else known | {label}
        self.parts["labels", place] = known
        p = np.exp(logits) / np.exp(logits).sum() if shares else np.array([sigmoid(t) for t in logits])
        for k, t in enumerate(logits):
            self.delta[n, 5 + k, y, x] = scale * ((k in known) - p[k])
        self.parts["class", place] = scale * (
            -math.log(p[label]) if shares else sum(log_loss(t, float(k in known)) for k, t in enumerate(logits)))

    def learn(self, objects):
        get = self.options.get
        scales = {name: get(f"{name}_scale", 1) if self.is_region else 1 for name in ("coord", "object", "noobject", "class")}
        ignored = get("thresh", 0.5) if self.is_region else get("ignore_thresh", 0.5)
        for y in range(HEIGHT):
            for x in range(WIDTH):
                for n in range(len(self.mask)):
                    place = (n, y, x)
                    overlaps = [iou(self.box(place), truth) for _, *truth in objects]
                    best = int(np.argmax(overlaps))
                    if overlaps[best] <= ignored:
                        self.certainty(place, 0, scales["noobject"])
                    if not self.is_region and overlaps[best] > get("truth_thresh", 1):
                        label, *truth = objects[best]
                        self.certainty(place, 1, 1)
                        self.coordinates(place, truth, 1)
                        self.labels(place, label, 1)
        for label, *truth in objects:
            x, y = int(truth[0] * WIDTH), int(truth[1] * HEIGHT)
            if self.is_region:
                shapes = [(0, 0, *side) if get("bias_match", 0) else self.box((n, y, x)) for n, side in enumerate(self.sides)]
                n = int(np.argmax([shape_iou(shape, truth) for shape in shapes]))
            else:
                best = int(np.argmax([shape_iou((0, 0, *side), truth) for side in self.sides]))
                if best not in self.mask:
                    continue
                n = self.mask.index(best)
            place = (n, y, x)
            self.coordinates(place, truth, scales["coord"])
            self.certainty(place, iou(self.box(place), truth) if get("rescore", 0) else 1, scales["object"])
            self.labels(place, label, scales["class"])

    def rows(self):
        result = []
        for y in range(HEIGHT):
            for x in range(WIDTH):
                for n in range(len(self.mask)):
                    logits = self.map[n, 5:, y, x]
                    shares = self.options.get("softmax", 0)
                    p = np.exp(logits) / np.exp(logits).sum() if shares else [sigmoid(t) for t in logits]
                    result.append([*self.box((n, y, x)), sigmoid(self.map[n, 4, y, x]), *p])
        return result


class Grid:
    def __init__(self, options, numbers):
        self.options, self.side, self.count, self.classes = options, options["side"], options["num"], options["classes"]
        self.map, self.delta, self.parts = numbers, np.zeros_like(numbers), {}
        self.certainties = self.side**2 * self.classes
        self.boxes = self.certainties + self.side**2 * self.count

    def scale(self, name):
        return self.options.get(f"{name}_scale", 1)

    def box(self, cell, n):
        """Centre from the cell's corner, in shares of the picture as the sides."""
        x, y, w, h = self.map[self.boxes + (cell * self.count + n) * 4:][:4]
        if self.options.get("sqrt", 0):
            w, h = w * w, h * h
        return (x / self.side, y / self.side, w, h)

    def shares(self, cell):
        values = self.map[cell * self.classes:][:self.classes]
        return np.exp(values) / np.exp(values).sum() if self.options.get("softmax", 0) else values

    def certainty(self, cell, n, target, scale):
        place = self.certainties + cell * self.count + n
        self.delta[place] = scale * (target - self.map[place])
        self.parts["object", cell, n] = scale * (target - self.map[place]) ** 2 / 2

    def learn(self, objects):
        for cell in range(self.side**2):
            for n in range(self.count):
                self.certainty(cell, n, 0, self.scale("noobject"))
        taken = set()
        for label, x, y, w, h in objects:
            column, row = int(x * self.side), int(y * self.side)
            cell = row * self.side + column
            if cell in taken:
                continue
            taken.add(cell)
            p, start = self.shares(cell), cell * self.classes
            wanted = np.eye(self.classes)[label]
            self.delta[start:start + self.classes] = self.scale("class") * (wanted - p)
            self.parts["class", cell] = self.scale("class") * (
                -math.log(p[label]) if self.options.get("softmax", 0) else ((wanted - p) ** 2).sum() / 2)
            truth = (x - column / self.side, y - row / self.side, w, h)
            overlaps = [iou(self.box(cell, n), truth) for n in range(self.count)]
            far = [sum((a - b) ** 2 for a, b in zip(self.box(cell, n), truth)) for n in range(self.count)]
            best = int(np.argmax(overlaps)) if max(overlaps) > 0 else int(np.argmin(far))
            self.certainty(cell, best, overlaps[best] if self.options.get("rescore", 0) else 1, self.scale("object"))
            root = math.sqrt if self.options.get("sqrt", 0) else float
            start, loss = self.boxes + (cell * self.count + best) * 4, 0
            for k, target in enumerate((truth[0] * self.side, truth[1] * self.side, root(w), root(h))):
                self.delta[start + k] = self.scale("coord") * (target - self.map[start + k])
                loss += self.scale("coord") * (target - self.map[start + k]) ** 2 / 2
            self.parts["box", cell] = loss

    def rows(self):
        return [
            [x + cell % self.side / self.side, y + cell // self.side / self.side, w, h,
             self.map[self.certainties + cell * self.count + n], *self.shares(cell)]
            for cell in range(self.side**2) for n in range(self.count) for x, y, w, h in [self.box(cell, n)]]


def main(file: pathlib.Path) -> None:
    tensors, metadata = {"objects": np.array(OBJECTS, np.float32)}, {}
    for name, options in CASES.items():
        section = name.split("_")[0]
        count = len(options.get("mask", range(options["num"])))
        if section == "detection":
            shape = (2, options["side"] ** 2 * (options["classes"] + 5 * options["num"]), 1, 1)
        else:
            shape = (2, count * (5 + options["classes"]), HEIGHT, WIDTH)
        numbers = deterministic.image(name, shape) * np.float32(0.5)
        losses, gradient, rows = np.zeros(3), [], []
        for picture in range(2):
            objects = [(label, *map(float, np.array(box, np.float32))) for index, label, *box in OBJECTS if index == picture]
            own = numbers[picture].astype(float)
            head = Grid(options, own.reshape(-1)) if section == "detection" else Anchored(
                section, options, own.reshape(count, 5 + options["classes"], HEIGHT, WIDTH))
            head.learn(objects)
            losses += [sum(value for key, value in head.parts.items() if key[0] == part) / 2 for part in ("box", "object", "class")]
            gradient.append(-head.delta.reshape(shape[1:]) / 2)
            rows.append(head.rows())
        tensors[f"{name}.map"], tensors[f"{name}.gradient"] = numbers, np.array(gradient, np.float32)
        tensors[f"{name}.loss"], tensors[f"{name}.rows"] = losses.astype(np.float32), np.array(rows, np.float32)
        text = {key: ",".join(map(str, value)) if isinstance(value, list) else value for key, value in options.items()}
        metadata[name] = f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in text.items())
        print(name, losses, int((tensors[f"{name}.gradient"] != 0).sum()))
    save_file(tensors, file, metadata)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
