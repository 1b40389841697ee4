"""torchvision's detectors where its compiled operations are missing: suppression and RoIAlign from their definitions, in plain torch.

`patch()` puts them in the places of torchvision's; `network(name)` gives a detector with deterministic weights under its names.
"""

import math
import types

import numpy as np
import torch

import classifiers
import deterministic

torchvision = classifiers.import_torchvision()
detection = torchvision.models.detection


def nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """Positions of boxes that stay, best first: a box goes when its overlap with a better one that stays is above the threshold."""
    order = torch.sort(scores, descending=True, stable=True)[1].tolist()
    corners = boxes.detach().numpy()
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    gone = np.zeros(len(order), bool)
    kept = []
    for place in order:
        if gone[place]:
            continue
        kept.append(place)
        low = np.maximum(corners[place, :2], corners[:, :2])
        high = np.minimum(corners[place, 2:], corners[:, 2:])
        inner = np.maximum(high - low, np.float32(0)).prod(axis=1, dtype=np.float32)
        with np.errstate(invalid="ignore"):
            overlap = inner / (areas[place] + areas - inner)
        gone |= overlap.astype(np.float64) > threshold
    return torch.tensor(kept, dtype=torch.int64)


def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """Means over bins of samples interpolated between the places of a map; differentiable by the map."""
    if not torch.is_tensor(boxes):
        boxes = torch.cat([torch.cat([torch.full_like(b[:, :1], i), b], 1) for i, b in enumerate(boxes)])
    rows, columns = (output_size, output_size) if isinstance(output_size, int) else output_size
    results = [align_one(input, box, rows, columns, spatial_scale, sampling_ratio, aligned) for box in boxes]
    return torch.stack(results) if results else input.new_zeros((0, input.shape[1], rows, columns))


def samples(start, length, bins: int, ratio: int, extent: int):
    """For each sample of an axis, bin by bin: its two places, the share of the second, and whether it counts."""
    size = length / bins
    count = ratio if ratio > 0 else max(math.ceil(float(size)), 0)
    index = torch.arange(bins * count, dtype=torch.float32)
    inner = torch.remainder(index, count) if count else index
    place = start + torch.div(index, max(count, 1), rounding_mode="floor") * size + (inner + 0.5) * size / max(count, 1)
    inside = (place >= -1) & (place <= extent)
    place = place.clamp(min=0)
    low = place.to(torch.int64)
    last = low >= extent - 1
    low = torch.where(last, torch.full_like(low, extent - 1), low)
    high = torch.where(last, low, low + 1)
    share = torch.where(last, torch.zeros_like(place), place - low.float())
    return count, low, high, share, inside.float()


def align_one(input, box, rows, columns, scale, ratio, aligned):
    offset = 0.5 if aligned else 0.0
    x1, y1, x2, y2 = (box[1:] * scale - offset).unbind()
    width, height = x2 - x1, y2 - y1
    if not aligned:
        width, height = width.clamp(min=1.0), height.clamp(min=1.0)
    plane = input[int(box[0])]
    county, y_low, y_high, y_share, y_in = samples(y1, height, rows, ratio, plane.shape[1])
    countx, x_low, x_high, x_share, x_in = samples(x1, width, columns, ratio, plane.shape[2])
    if county * countx == 0:
        return plane.new_zeros((plane.shape[0], rows, columns))
    lines = plane[:, y_low] * (1 - y_share)[None, :, None] + plane[:, y_high] * y_share[None, :, None]
    points = lines[:, :, x_low] * (1 - x_share) + lines[:, :, x_high] * x_share
    points = points * y_in[None, :, None] * x_in
    return points.reshape(plane.shape[0], rows, county, columns, countx).mean((2, 4))


def roi_pool(input, boxes, size, scale):
    """The largest value of each bin of regions whose edges are rounded to places."""
    rows, columns = size
    results = []
    for box in boxes:
        edges = [math.floor(abs(float(v) * scale) + 0.5) * (1 if v >= 0 else -1) for v in box[1:]]
        plane = input[int(box[0])]

        def bins(first, last, count, extent):
            step = np.float32(max(last - first + 1, 1)) / np.float32(count)
            for index in range(count):
                low = min(max(math.floor(np.float32(index) * step) + first, 0), extent)
                yield low, min(max(math.ceil(np.float32(index + 1) * step) + first, 0), extent)

        cells = [
            plane[:, y0:y1, x0:x1].amax((1, 2)) if y1 > y0 and x1 > x0 else plane.new_zeros(plane.shape[0])
            for y0, y1 in bins(edges[1], edges[3], rows, plane.shape[1])
            for x0, x1 in bins(edges[0], edges[2], columns, plane.shape[2])]
        results.append(torch.stack(cells, 1).reshape(-1, rows, columns))
    return torch.stack(results)


def patch() -> None:
    """Makes torchvision use these."""
    boxes = torchvision.ops.boxes
    boxes.nms = nms
    torchvision.ops.poolers.roi_align = roi_align
    detection.roi_heads.roi_align = roi_align

    def batched(b, s, i, threshold):
        form = boxes._batched_nms_vanilla if b.numel() > 4000 else boxes._batched_nms_coordinate_trick
        return form(b, s, i, threshold)

    boxes.batched_nms = batched


def frozen(model, epsilon: float) -> None:
    for module in model.modules():
        if isinstance(module, torchvision.ops.misc.FrozenBatchNorm2d):
            module.eps = epsilon


# What weights are multiplied by, so that answers differ from place to place and from label to label, and do not leave their ranges.
FACTORS = {
    "mobilenet": {"rpn.head.cls_logits.weight": 8, "cls_score.weight": 4},
    "retinanet": {
        "fpn.inner_blocks": 0.02, "p6.weight": 0.5, "head.cls_logits.weight": 0.15, "head.bbox_reg.weight": 0.2},
    # Without normalization the maps of a ResNet are about fifty times as large as its picture.
    "resnet50": {
        "fpn.inner_blocks": 0.02, "p6.weight": 0.5, "rpn.head.bbox_pred.weight": 0.2, "cls_score.weight": 1.5,
        "box_predictor.bbox_pred.weight": 0.5, "head.bbox_reg.weight": 0.2},
    "ssd": {"module_list": 0.02, "scale_weight": 200},
}


def weight(model: str, name: str, shape) -> np.ndarray:
    """The deterministic weight of a name, with the factor of the model's kind; vectors but SSD's scale have none."""
    value = deterministic.torch_tensor(name, tuple(shape))
    if len(shape) < 2 and "scale_weight" not in name:
        return value
    factors = next(factors for kind, factors in FACTORS.items() if kind in model)
    return value * np.float32(next((factor for part, factor in factors.items() if part in name), 1))


def network(name: str, **options):
    """A detector with deterministic weights, as published ones are loaded: with frozen batch normalization where theirs is."""
    make = getattr(detection, name)
    norm = torchvision.ops.misc.FrozenBatchNorm2d
    frozen_body = not name.endswith("_v2") and not name.startswith("ssd")
    model = make(weights=None, weights_backbone=None, **options)
    if frozen_body:
        replace(model.backbone.body, norm)
    zero = name in ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn")
    frozen(model, 0.0 if zero else 1e-5)
    model.load_state_dict({
        key: torch.from_numpy(np.asarray(weight(name, key, tensor.shape))) for key, tensor in model.state_dict().items()})
    return model.eval()


def replace(module, norm) -> None:
    for key, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm2d):
            setattr(module, key, norm(child.num_features))
        else:
            replace(child, norm)


def picture(name: str, height: int, width: int) -> torch.Tensor:
    """3×H×W of 0…1."""
    values = deterministic.uniform(name, (3, (height + 7) // 8, (width + 7) // 8))
    large = np.kron(values, np.ones((1, 8, 8), np.float32))[:, :height, :width]
    return torch.from_numpy(np.ascontiguousarray(large))
