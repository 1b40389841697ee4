"""Writes what DETR's loss must reproduce, and optimal assignments.

    python detr_loss_fixtures.py Tests/AviaryZooTests/Fixtures/detr_losses.safetensors

The criterion is written from the paper (arXiv:2005.12872, section 3.1) with the names of facebookresearch's. Weights are those of
detr_fixtures.py, the pictures two of 64×96 values, the second without objects; the network does not drop anything. `loss.*`: unweighted losses.
`gradient.*`: of the weighted sum by some weights, every 211th number. `padded.*`: the same of two pictures of other sizes, padded with zeros and
masked as one NestedTensor, both with objects, whose boxes are shares of the pictures as they were before. `assignment.N.costs`, `.columns`: matrices, and the
best columns of their rows (-1 for none), by dynamic programming over the sets of taken columns, which tries all.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn import functional

import deterministic
import detr
import detr_fixtures

SIZE = (64, 96)
LABELS = 91
BOXES = [[[0.3, 0.4, 0.4, 0.5], [0.6, 0.55, 0.5, 0.7], [0.31, 0.66, 0.12, 0.25]], []]
NUMBERS = [[3, 17, 3], []]
# Widths and heights: neither fills the batch.
PADDED_SIZES = [(96, 40), (61, 64)]
PADDED_BOXES = [BOXES[0][:2], [BOXES[0][2], [0.7, 0.3, 0.4, 0.4]]]
PADDED_NUMBERS = [[3, 17], [5, 90]]
WEIGHTS = {"loss_ce": 1, "loss_bbox": 5, "loss_giou": 2}
NO_OBJECT = 0.1
SHAPES = [(5, 5), (7, 3), (3, 7), (1, 4), (9, 8), (40, 6)]
STEP = 211


def assigned(costs: np.ndarray) -> list:
    """The column of each row (-1 for none) so that as many as possible have one, at the least cost."""
    rows, columns = costs.shape
    if rows < columns:
        result = [-1] * rows
        for column, row in enumerate(assigned(costs.T)):
            if row >= 0:
                result[row] = column
        return result
    # Of each set of columns that the rows so far have taken: the least cost, and who has which.
    best = {0: (0.0, ())}
    for row in range(rows):
        new = {}
        for taken, (cost, chosen) in best.items():
            options = [(taken, cost, chosen)]
            for column in range(columns):
                if not taken >> column & 1:
                    options.append((taken | 1 << column, cost + costs[row, column], (*chosen, (row, column))))
            for key, total, pairs in options:
                if key not in new or total < new[key][0]:
                    new[key] = (total, pairs)
        best = new
    result = [-1] * rows
    for row, column in best[(1 << columns) - 1][1]:
        result[row] = column
    return result


def edges(boxes: torch.Tensor) -> torch.Tensor:
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], -1)


def overlap(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Generalised intersection over union, broadcast."""
    a, b = edges(one), edges(other)
    common = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    union = one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - common
    return common / union - (hull - union) / hull


def criterion(logits: torch.Tensor, boxes: torch.Tensor, objects_boxes: list, objects_numbers: list) -> dict:
    """The losses of one layer."""
    objects = max(sum(map(len, objects_numbers)), 1)
    targets = torch.full(logits.shape[:2], LABELS)
    rows, truth, labels = [], [], []
    for picture, (own, numbers) in enumerate(zip(objects_boxes, objects_numbers)):
        if not own:
            continue
        own = torch.tensor(own)
        with torch.no_grad():
            distance = (boxes[picture][:, None] - own).abs().sum(-1)
            cost = 5 * distance - logits[picture].softmax(-1)[:, numbers] - 2 * overlap(boxes[picture][:, None], own)
        for query, column in enumerate(assigned(cost.double().numpy())):
            if column >= 0:
                rows.append((picture, query))
                truth.append(own[column])
                labels.append(numbers[column])
                targets[picture, query] = numbers[column]
    weight = torch.ones(LABELS + 1)
    weight[-1] = NO_OBJECT
    picked = torch.stack([boxes[row] for row in rows])
    truth = torch.stack(truth)
    answers = logits.argmax(-1)
    counts = (answers != LABELS).sum(1)
    wrong = sum(int(answers[row]) != label for row, label in zip(rows, labels))
    return {
        "loss_ce": functional.cross_entropy(logits.transpose(1, 2), targets, weight),
        "class_error": torch.tensor(100 * wrong / len(rows)),
        "cardinality_error": (counts - torch.tensor([len(n) for n in objects_numbers])).abs().float().mean(),
        "loss_bbox": (picked - truth).abs().sum() / objects,
        "loss_giou": (1 - overlap(picked, truth)).sum() / objects}


def layers(network, image: torch.Tensor, mask: torch.Tensor) -> list:
    """Logits and boxes of every layer of the decoder."""
    kept = []
    hooks = [layer.register_forward_hook(lambda _, __, output: kept.append(output)) for layer in network.transformer.decoder.layers]
    network(image, mask)
    for hook in hooks:
        hook.remove()
    normal = [network.transformer.decoder.norm(objects) for objects in kept]
    return [(network.class_embed(objects), network.bbox_embed(objects).sigmoid()) for objects in normal]


def learned(image: torch.Tensor, mask: torch.Tensor, *truth) -> dict:
    """All losses of a batch, and the gradients of their weighted sum."""
    network = detr_fixtures.filled(detr.DETR())
    answers = layers(network, image, mask)
    losses = criterion(*answers[-1], *truth)
    for number, answer in enumerate(answers[:-1]):
        losses |= {
            f"{name}_{number}": value for name, value in criterion(*answer, *truth).items() if name != "class_error"}
    sum(weight * value for part, weight in WEIGHTS.items() for name, value in losses.items() if name.startswith(part)).backward()
    print({name: round(float(value.detach()), 4) for name, value in losses.items()})
    tensors = {f"loss.{name}": value.detach().float().reshape(1).numpy() for name, value in losses.items()}
    for name in (
            "class_embed.weight", "bbox_embed.layers.2.weight", "bbox_embed.layers.0.weight", "query_embed.weight", "input_proj.weight",
            "transformer.decoder.layers.3.linear2.weight", "transformer.encoder.layers.0.linear1.weight"):
        gradient = network.get_parameter(name).grad
        tensors[f"gradient.{name}"] = gradient.reshape(-1)[::STEP].numpy()
        tensors[f"gradient.{name}.most"] = gradient.abs().max().reshape(1).numpy()
    return tensors


def main(file: pathlib.Path) -> None:
    image = torch.from_numpy(np.concatenate([deterministic.image(name, (1, 3, *SIZE)) for name in ("first", "second")]))
    tensors = learned(image, torch.zeros((2, *SIZE), dtype=torch.bool), BOXES, NUMBERS)
    image, mask = torch.zeros((2, 3, *SIZE)), torch.ones((2, *SIZE), dtype=torch.bool)
    for row, (name, (width, height)) in enumerate(zip(("third", "fourth"), PADDED_SIZES)):
        image[row, :, :height, :width] = torch.from_numpy(deterministic.image(name, (3, height, width)))
        mask[row, :height, :width] = False
    tensors |= {
        f"padded.{name}": value for name, value in learned(image, mask, PADDED_BOXES, PADDED_NUMBERS).items()}
    for number, shape in enumerate(SHAPES):
        costs = deterministic.image(f"costs {number}", shape)
        tensors[f"assignment.{number}.costs"] = costs
        tensors[f"assignment.{number}.columns"] = np.array(assigned(costs.astype(np.float64)), np.int64)
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, file)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
