"""Expected values for the loss of YOLO v5: its parts and their gradient.

    python yolo_anchor_fixtures.py Tests/AviaryZooTests/Fixtures/yolo_anchors.safetensors

`map<i>`, `boxes`, `labels` and `counts` (objects of each picture) are what it is computed from, `parts` (boxes, certainty, classes) and
`gradient<i>`, of the weighted sum, what comes out. Two of the objects want the same anchors.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

import deterministic
import yolo

CLASSES = 3
ANCHORS = [[(10, 13), (16, 30), (33, 23)], [(30, 61), (62, 45), (59, 119)], [(116, 90), (156, 198), (373, 326)]]


def main(file: pathlib.Path) -> None:
    maps = [torch.from_numpy(deterministic.image(f"map {i}", (3, 3 * (5 + CLASSES), *size))).requires_grad_()
            for i, size in enumerate([(8, 12), (4, 6), (2, 3)])]
    anchors = [torch.tensor(sizes, dtype=torch.float32) / stride for sizes, stride in zip(ANCHORS, (8, 16, 32))]
    truth = [torch.tensor([[4.0, 6, 40, 50], [10, 3, 60, 44], [50, 20, 90, 60], [51, 21, 90, 58]]), torch.zeros(0, 4),
             torch.tensor([[0.0, 0, 96, 64], [80, 50, 95, 63]])]
    labels = [torch.tensor([0, 2, 1, 0]), torch.zeros(0, dtype=torch.long), torch.tensor([1, 2])]
    parts = yolo.anchor_loss(maps, anchors, labels, truth)
    (0.05 * parts[0] + parts[1] + 0.5 * parts[2]).backward()
    print([float(part) for part in parts])
    tensors = {
        "boxes": torch.cat(truth), "labels": torch.cat(labels), "counts": torch.tensor([len(t) for t in truth]),
        "parts": torch.stack(parts).detach()}
    for i, m in enumerate(maps):
        tensors |= {f"map{i}": m.detach(), f"gradient{i}": m.grad}
    save_file({name: np.ascontiguousarray(tensor.numpy()) for name, tensor in tensors.items()}, file)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
