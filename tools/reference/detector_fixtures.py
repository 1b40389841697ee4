"""Writes what torchvision's detectors find in a picture, and their losses, with deterministic weights.

    python detector_fixtures.py Tests/AviaryZooTests/Fixtures/detectors [MODEL ...]

The picture is `detectors.picture`. `raw.*` are the answers of the dense heads in torchvision's order, every 101st of them, 1009th of `cls_logits`, with the largest
value of all of them in `raw.*.most`. `boxes`, `scores`, `labels`: what is found. `masks`: those of every thirtieth object. `loss.*`: losses for
`truth.*` at a shorter side of 128, where samplers take the first of those that they choose from, 64 anchors and 32 regions, FCOS' distances are larger by 2, and batch
normalization of the second R-CNNs has its running statistics; `gradient.*`: the sums of some parameters'
gradients, and of their absolute values.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

import detectors

MODELS = [
    "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2", "fcos_resnet50_fpn", "ssd300_vgg16"]
TRAINED = [
    "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2", "fcos_resnet50_fpn", "ssd300_vgg16"]
SIZE = (96, 128)
FCOS_DISTANCE = 2
# The dense heads have many logits.
STEPS = {"cls_logits": 1009}
STEP = 101


def flat(tensors) -> torch.Tensor:
    """Heads' maps N×(A·K)×H×W, or N×places×K, as one list in torchvision's order: place by place, anchor by anchor."""
    parts = []
    for anchors, tensor in tensors:
        if tensor.dim() == 4:
            n, channels, height, width = tensor.shape
            tensor = tensor.view(n, anchors, channels // anchors, height, width).permute(0, 3, 4, 1, 2)
        parts.append(tensor.reshape(-1))
    return torch.cat(parts)


def keep_raw(model, kept: dict) -> None:
    if hasattr(model, "rpn"):
        anchors = model.rpn.anchor_generator.num_anchors_per_location()[0]

        def hook(_, __, output):
            kept["objectness"] = flat((anchors, t) for t in output[0])
            kept["deltas"] = flat((anchors, t) for t in output[1])

        model.rpn.head.register_forward_hook(hook)
    else:
        model.head.register_forward_hook(lambda _, __, output: kept.update({k: flat([(1, v)]) for k, v in output.items()}))


@torch.no_grad()
def found(name: str) -> dict:
    model, kept = detectors.network(name), {}
    keep_raw(model, kept)
    result = model([detectors.picture("picture", *SIZE)])[0]
    tensors = {key: value.numpy() for key, value in result.items() if key != "masks"}
    if "masks" in result:
        tensors["masks"] = result["masks"][::30].numpy()
    for key, value in kept.items():
        tensors[f"raw.{key}"] = value[::STEPS.get(key, STEP)].numpy()
        tensors[f"raw.{key}.most"] = value.abs().max().reshape(1).numpy()
    state = model.state_dict()
    tensors["counts"] = np.array(
        [len([k for k in state if "num_batches" not in k]), sum(p.numel() for p in model.parameters())], np.int64)
    scores = tensors["scores"]
    print(f"{name}: {len(scores)} objects of {len(set(tensors['labels'].tolist()))} labels, scores {scores.min():.3f} to {scores.max():.3f}, "
          f"closest scores apart {np.diff(np.sort(scores)).min():.2g}")
    return tensors


def truth(index: int, masks: bool) -> dict:
    """Objects of a picture; the second has none."""
    boxes = [[[10, 12, 60, 70], [50, 20, 120, 90], [30, 30, 44, 50]], []][index]
    target = {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor([[3, 17, 3], []][index], dtype=torch.int64)}
    if masks:
        pictures = torch.zeros((len(boxes), *SIZE), dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(pictures, boxes):
            # The lower left half of each box.
            for y in range(y1, y2):
                mask[y, x1:x1 + (x2 - x1) * (y - y1 + 1) // (y2 - y1)] = 1
        target["masks"] = pictures
    return target


def losses(name: str) -> dict:
    options = {} if name.startswith("ssd") else {"min_size": 128, "max_size": 256}
    if "rcnn" in name:
        options |= {"rpn_batch_size_per_image": 64, "box_batch_size_per_image": 32}
    model = detectors.network(name, **options).train()
    if name.startswith("fcos"):
        # Else no distance would be above 0.
        model.head.regression_head.bbox_reg.bias.data += FCOS_DISTANCE
    if name.endswith("rcnn_resnet50_fpn_v2"):
        # A batch's own statistics carry rounding far.
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
    # Samplers choose by a random permutation.
    torch.randperm = lambda count, **_: torch.arange(count)
    masks = name.startswith("mask")
    values = model([detectors.picture("first", *SIZE), detectors.picture("second", *SIZE)], [truth(0, masks), truth(1, masks)])
    sum(values.values()).backward()
    tensors = {f"loss.{key}": value.detach().reshape(1).numpy() for key, value in values.items()}
    print(name, {key: round(float(value.detach()), 4) for key, value in values.items()})
    for key, parameter in model.named_parameters():
        if any(part in key for part in ("cls_logits", "bbox_pred.", "bbox_reg.", "fpn.inner_blocks.1", "mask_fcn_logits", "module_list.1", "layer4.2.conv3")):
            gradient = parameter.grad.double()
            tensors[f"gradient.{key}"] = np.array([float(gradient.sum()), float(gradient.abs().sum())], np.float64).astype(np.float32)
    return tensors


def main(folder: pathlib.Path, names: list) -> None:
    detectors.patch()
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or MODELS:
        tensors = found(name)
        if name in TRAINED:
            tensors |= losses(name)
        print(flush=True)
        save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, folder / f"{name}.safetensors")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
