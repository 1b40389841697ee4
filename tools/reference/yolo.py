"""YOLO v5 and v8 in plain PyTorch, under the names of ultralytics' files, and what v8 learns from.

Written from descriptions of the architectures and of the loss; nothing here is ultralytics' own text.
"""

import math

import torch
from torch import nn
from torch.nn import functional

STRIDES = (8, 16, 32)
BINS = 16


class Conv(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1, padding=None):
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)

    def forward(self, x):
        return functional.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, channels, kernel, residual):
        super().__init__()
        self.cv1 = Conv(channels, channels, kernel)
        self.cv2 = Conv(channels, channels, 3)
        self.residual = residual

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.residual else y


class C3(nn.Module):
    def __init__(self, inputs, outputs, count, residual):
        super().__init__()
        hidden = outputs // 2
        self.cv1, self.cv2 = Conv(inputs, hidden), Conv(inputs, hidden)
        self.cv3 = Conv(2 * hidden, outputs)
        self.m = nn.Sequential(*(Bottleneck(hidden, 1, residual) for _ in range(count)))

    def forward(self, x):
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class C2f(nn.Module):
    def __init__(self, inputs, outputs, count, residual):
        super().__init__()
        hidden = outputs // 2
        self.cv1, self.cv2 = Conv(inputs, 2 * hidden), Conv((2 + count) * hidden, outputs)
        self.m = nn.ModuleList(Bottleneck(hidden, 3, residual) for _ in range(count))

    def forward(self, x):
        parts = list(self.cv1(x).chunk(2, 1))
        for block in self.m:
            parts.append(block(parts[-1]))
        return self.cv2(torch.cat(parts, 1))


class SPPF(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.cv1, self.cv2 = Conv(inputs, inputs // 2), Conv(inputs // 2 * 4, outputs)

    def forward(self, x):
        maps = [self.cv1(x)]
        for _ in range(3):
            maps.append(functional.max_pool2d(maps[-1], 5, 1, 2))
        return self.cv2(torch.cat(maps, 1))


class AnchorHead(nn.Module):
    """YOLO v5's."""

    SIZES = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]

    def __init__(self, channels, classes):
        super().__init__()
        self.m = nn.ModuleList(nn.Conv2d(c, 3 * (5 + classes), 1) for c in channels)
        sizes = torch.tensor(self.SIZES).float().view(3, 3, 2)
        self.register_buffer("anchors", sizes / torch.tensor(STRIDES).view(3, 1, 1))
        self.numbers = 5 + classes

    def forward(self, features):
        rows = []
        for level, (layer, feature) in enumerate(zip(self.m, features)):
            y = layer(feature).sigmoid()
            n, _, height, width = y.shape
            y = y.view(n, 3, self.numbers, height, width).permute(0, 1, 3, 4, 2)
            cells = torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy"), -1)
            xy = (2 * y[..., :2] - 0.5 + cells) * STRIDES[level]
            wh = (2 * y[..., 2:4]) ** 2 * (self.anchors[level] * STRIDES[level]).view(1, 3, 1, 1, 2)
            rows.append(torch.cat([xy, wh, y[..., 4:]], -1).reshape(n, -1, self.numbers))
        return torch.cat(rows, 1)


def places(maps):
    """The middles of all places in places of their map, A×2, and the stride of each, A×1."""
    centres, strides = [], []
    for (height, width), stride in zip(maps, STRIDES):
        grid = torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy"), -1)
        centres.append(grid.reshape(-1, 2) + 0.5)
        strides.append(torch.full((height * width, 1), float(stride)))
    return torch.cat(centres), torch.cat(strides)


class Projection(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(BINS, 1, 1, bias=False).requires_grad_(False)
        self.conv.weight.data[:] = torch.arange(BINS).float().view(1, BINS, 1, 1)


class DistanceHead(nn.Module):
    """YOLO v8's."""

    def __init__(self, channels, classes):
        super().__init__()
        box, label = max(16, channels[0] // 4, 4 * BINS), max(channels[0], min(classes, 100))

        def branch(inputs, hidden, outputs):
            return nn.Sequential(Conv(inputs, hidden, 3), Conv(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1))

        self.cv2 = nn.ModuleList(branch(c, box, 4 * BINS) for c in channels)
        self.cv3 = nn.ModuleList(branch(c, label, classes) for c in channels)
        self.dfl = Projection()

    def forward(self, features):
        maps = [torch.cat([a(x), b(x)], 1) for a, b, x in zip(self.cv2, self.cv3, features)]
        everything = torch.cat([m.flatten(2) for m in maps], 2)
        centres, strides = places([m.shape[2:] for m in maps])
        ltrb = expected_distances(everything[:, : 4 * BINS].transpose(1, 2))  # N×A×4
        low, high = centres - ltrb[..., :2], centres + ltrb[..., 2:]
        boxes = torch.cat([(low + high) / 2, high - low], -1) * strides
        return torch.cat([boxes.transpose(1, 2), everything[:, 4 * BINS :].sigmoid()], 1)


def expected_distances(logits):
    """…×64 to …×4."""
    shares = logits.unflatten(-1, (4, BINS)).softmax(-1)
    return shares @ torch.arange(BINS).float()


class Upsample(nn.Module):
    def forward(self, x):
        return functional.interpolate(x, scale_factor=2, mode="nearest")


class Concat(nn.Module):
    pass


# What a layer is, its channels before scaling, bottlenecks, and where it reads where that is not the layer before.
V5 = [
    ("conv6", 64), ("conv", 128), ("block", 128, 3, True), ("conv", 256), ("block", 256, 6, True), ("conv", 512),
    ("block", 512, 9, True), ("conv", 1024), ("block", 1024, 3, True), ("sppf", 1024), ("point", 512), ("up",),
    ("cat", 6), ("block", 512, 3, False), ("point", 256), ("up",), ("cat", 4), ("block", 256, 3, False),
    ("conv", 256), ("cat", 14), ("block", 512, 3, False), ("conv", 512), ("cat", 10), ("block", 1024, 3, False),
]
V8 = [
    ("conv", 64), ("conv", 128), ("block", 128, 3, True), ("conv", 256), ("block", 256, 6, True), ("conv", 512),
    ("block", 512, 6, True), ("conv", 1024), ("block", 1024, 3, True), ("sppf", 1024), ("up",), ("cat", 6),
    ("block", 512, 3, False), ("up",), ("cat", 4), ("block", 256, 3, False), ("conv", 256), ("cat", 12),
    ("block", 512, 3, False), ("conv", 512), ("cat", 9), ("block", 1024, 3, False),
]

NETWORKS = {
    "yolov5n": (V5, C3, AnchorHead, 0.33, 0.25, 1024), "yolov5s": (V5, C3, AnchorHead, 0.33, 0.5, 1024),
    "yolov5m": (V5, C3, AnchorHead, 0.67, 0.75, 1024), "yolov5nu": (V5, C3, DistanceHead, 0.33, 0.25, 1024),
    "yolov8n": (V8, C2f, DistanceHead, 0.33, 0.25, 1024), "yolov8s": (V8, C2f, DistanceHead, 0.33, 0.5, 1024),
    "yolov8m": (V8, C2f, DistanceHead, 0.67, 0.75, 768),
}


class YOLO(nn.Module):
    def __init__(self, name, classes=80):
        super().__init__()
        plan, block, head, depth, width, most = NETWORKS[name]
        layers, self.sources, channels = [], [], []

        def scaled(count):
            return math.ceil(min(count, most) * width / 8) * 8

        for number, (kind, *rest) in enumerate(plan):
            before = channels[-1] if channels else 3
            sources = [number - 1]
            if kind == "conv6":
                layers.append(Conv(before, scaled(rest[0]), 6, 2, 2))
            elif kind == "conv":
                layers.append(Conv(before, scaled(rest[0]), 3, 2))
            elif kind == "point":
                layers.append(Conv(before, scaled(rest[0])))
            elif kind == "block":
                layers.append(block(before, scaled(rest[0]), max(round(rest[1] * depth), 1), rest[2]))
            elif kind == "sppf":
                layers.append(SPPF(before, scaled(rest[0])))
            elif kind == "up":
                layers.append(Upsample())
            else:
                layers.append(Concat())
                sources.append(rest[0])
            self.sources.append(sources)
            channels.append(before + channels[rest[0]] if kind == "cat" else
                            before if kind == "up" else scaled(rest[0]))
        self.ends = [17, 20, 23] if plan is V5 else [15, 18, 21]
        self.model = nn.ModuleList(layers + [head([channels[i] for i in self.ends], classes)])

    def forward(self, x):
        results = []
        for layer, sources in zip(self.model, self.sources):
            inputs = [results[i] if i >= 0 else x for i in sources]
            results.append(torch.cat(inputs, 1) if isinstance(layer, Concat) else layer(inputs[0]))
        return self.model[-1]([results[i] for i in self.ends])


# What v8 learns from.


def complete_overlap(a, b, epsilon=1e-7):
    """…×4 as x1, y1, x2, y2 (Zheng et al. 2020, arXiv:1911.08287)."""
    ax1, ay1, ax2, ay2 = a.unbind(-1)
    bx1, by1, bx2, by2 = b.unbind(-1)
    aw, ah, bw, bh = ax2 - ax1, ay2 - ay1 + epsilon, bx2 - bx1, by2 - by1 + epsilon
    common = (torch.min(ax2, bx2) - torch.max(ax1, bx1)).clamp(min=0) * \
        (torch.min(ay2, by2) - torch.max(ay1, by1)).clamp(min=0)
    overlap = common / (aw * ah + bw * bh - common + epsilon)
    hull = (torch.max(ax2, bx2) - torch.min(ax1, bx1)) ** 2 + (torch.max(ay2, by2) - torch.min(ay1, by1)) ** 2
    distance = ((bx1 + bx2 - ax1 - ax2) ** 2 + (by1 + by2 - ay1 - ay2) ** 2) / 4
    proportion = 4 / math.pi ** 2 * ((bw / bh).atan() - (aw / ah).atan()) ** 2
    with torch.no_grad():
        share = proportion / (proportion - overlap + 1 + epsilon)
    return overlap - (distance / (hull + epsilon) + proportion * share)


def assign(scores, boxes, centres, labels, truth, most=10):
    """Which object each place shall find (−1 for none), and how surely; of one picture, after Feng et al. 2021, arXiv:2108.07755."""
    count = len(truth)
    low, high = centres[None] - truth[:, None, :2], truth[:, None, 2:] - centres[None]
    inside = torch.cat([low, high], -1).min(-1).values > 1e-9  # objects×places
    overlap = complete_overlap(truth[:, None], boxes[None]).clamp(min=0) * inside
    fit = scores[:, labels].T.sqrt() * overlap ** 6 * inside
    chosen = torch.zeros_like(inside)
    for i in range(count):
        best = fit[i].topk(min(most, fit.shape[1])).indices
        chosen[i, best] = True
    chosen &= inside
    # Of several objects, a place takes the one that it overlaps most.
    several = chosen.sum(0) > 1
    keep = torch.zeros_like(chosen)
    keep[overlap.argmax(0), torch.arange(len(centres))] = True
    chosen = torch.where(several[None], keep & chosen, chosen)
    fit, kept = fit * chosen, overlap * chosen
    score = (fit * kept.max(1, keepdim=True).values / (fit.max(1, keepdim=True).values + 1e-9)).max(0).values
    return torch.where(chosen.any(0), chosen.int().argmax(0), torch.tensor(-1)), score


def loss(maps, labels, truth):
    """The three parts, each divided by the sum of the scores wanted: 1 − overlap, classes, distributions."""
    everything = torch.cat([m.flatten(2) for m in maps], 2).transpose(1, 2)  # N×A×(64 + classes)
    distances, logits = everything[..., : 4 * BINS], everything[..., 4 * BINS :]
    centres, strides = places([m.shape[2:] for m in maps])
    ltrb = expected_distances(distances)
    boxes = torch.cat([centres - ltrb[..., :2], centres + ltrb[..., 2:]], -1)
    wanted_scores, found, score = torch.zeros_like(logits), [], []
    for n in range(len(maps[0])):
        if len(truth[n]):
            owner, s = assign(logits[n].detach().sigmoid(), boxes[n].detach() * strides, centres * strides,
                              labels[n], truth[n])
        else:
            owner, s = torch.full((len(centres),), -1), torch.zeros(len(centres))
        found.append(owner)
        score.append(s)
        taken = owner >= 0
        if taken.any():
            wanted_scores[n, taken, labels[n][owner[taken]]] = s[taken]
    total = max(wanted_scores.sum().item(), 1)
    classes = functional.binary_cross_entropy_with_logits(logits, wanted_scores, reduction="sum") / total
    box = distribution = torch.zeros(())
    for n, owner in enumerate(found):
        taken = owner >= 0
        if not taken.any():
            continue
        target = truth[n][owner[taken]] / strides[taken]
        weight = score[n][taken]
        box = box + ((1 - complete_overlap(boxes[n, taken], target)) * weight).sum() / total
        sides = torch.cat([centres[taken] - target[:, :2], target[:, 2:] - centres[taken]], -1)
        sides = sides.clamp(0, BINS - 1 - 0.01)
        low = sides.long()
        logs = distances[n, taken].unflatten(-1, (4, BINS)).log_softmax(-1)
        below = logs.gather(-1, low[..., None])[..., 0] * (low + 1 - sides)
        above = logs.gather(-1, low[..., None] + 1)[..., 0] * (sides - low)
        distribution = distribution - ((below + above).mean(-1) * weight).sum() / total
    return box, classes, distribution


def anchor_targets(anchors: torch.Tensor, rows: int, columns: int, stride: int, truth: list, labels: list) -> list:
    """Of one map: picture, anchor, row, column, label, and the object's centre from the place's corner and its size, all in places."""
    objects = [(picture, label, box) for picture, (boxes, numbers) in enumerate(zip(truth, labels))
               for box, label in zip((boxes / stride).tolist(), numbers.tolist())]
    found = []
    for shift in range(5):
        for number, (aw, ah) in enumerate(anchors.tolist()):
            for picture, label, (x1, y1, x2, y2) in objects:
                x, y, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
                if max(w / aw, aw / w, h / ah, ah / h) >= 4:
                    continue
                taken = (True, x % 1 < 0.5 and x > 1, y % 1 < 0.5 and y > 1,
                         (columns - x) % 1 < 0.5 and columns - x > 1, (rows - y) % 1 < 0.5 and rows - y > 1)
                if not taken[shift]:
                    continue
                dx, dy = ((0, 0), (0.5, 0), (0, 0.5), (-0.5, 0), (0, -0.5))[shift]
                column, row = min(max(int(x - dx), 0), columns - 1), min(max(int(y - dy), 0), rows - 1)
                found.append((picture, number, row, column, label, (x - column, y - row, w, h)))
    return found


def anchor_loss(maps: list, anchors: list, labels: list, truth: list) -> tuple:
    """v5's loss of boxes, certainty and classes, unweighted: sums over the maps of means. Anchors are in places of their maps."""
    box = certainty = classes = torch.zeros(())
    for m, own, stride, balance in zip(maps, anchors, (8, 16, 32), (4.0, 1.0, 0.4)):
        n, channels, rows, columns = m.shape
        rows_of = m.view(n, 3, channels // 3, rows, columns).permute(0, 1, 3, 4, 2)
        wanted = torch.zeros(rows_of.shape[:4])
        targets = anchor_targets(own, rows, columns, stride, truth, labels)
        overlaps, logits, kinds = [], [], []
        for picture, number, row, column, label, (x, y, w, h) in targets:
            values = rows_of[picture, number, row, column]
            centre = values[:2].sigmoid() * 2 - 0.5
            size = (values[2:4].sigmoid() * 2) ** 2 * own[number]
            mine = torch.cat([centre - size / 2, centre + size / 2])
            other = torch.tensor([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            overlaps.append(complete_overlap(mine[None], other[None])[0])
            logits.append(values[5:])
            kinds.append(label)
            wanted[picture, number, row, column] = overlaps[-1].detach().clamp(min=0)
        if targets:
            box = box + (1 - torch.stack(overlaps)).mean()
            one_hot = torch.nn.functional.one_hot(torch.tensor(kinds), channels // 3 - 5).float()
            classes = classes + torch.nn.functional.binary_cross_entropy_with_logits(torch.stack(logits), one_hot)
        certainty = certainty + balance * torch.nn.functional.binary_cross_entropy_with_logits(rows_of[..., 4], wanted)
    return box, certainty, classes
