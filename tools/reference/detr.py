"""DETR (Carion et al. 2020, arXiv:2005.12872), which no package has under its authors' names.

Written from the paper and from the names of `detr-r50-e632da11.pth`; `detr_fixtures.py` shows that it computes what transformers does.
"""

import math

import torch
from torch import nn

import classifiers


class FrozenBatchNorm2d(nn.Module):
    """Batch normalization whose scale, shift and statistics are all buffers."""

    def __init__(self, channels: int, epsilon: float = 1e-5):
        super().__init__()
        self.epsilon = epsilon
        for name, value in {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}.items():
            self.register_buffer(name, torch.full((channels,), float(value)))

    def forward(self, x):
        scale = self.weight * (self.running_var + self.epsilon).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


class Body(nn.ModuleDict):
    """ResNet-50 up to its last map, under torchvision's names."""

    def __init__(self):
        network = classifiers.import_torchvision().models.resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
        super().__init__({name: child for name, child in network.named_children() if name not in ("avgpool", "fc")})

    def forward(self, x):
        for layer in self.values():
            x = layer(x)
        return x


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = Body()


def sine_positions(mask: torch.Tensor, width: int) -> torch.Tensor:
    """N×H×W, true for padding, to N×width×H×W."""
    valid = (~mask).float()
    half = width // 2
    waves = 10000 ** (2 * torch.div(torch.arange(half).float(), 2, rounding_mode="floor") / half)
    parts = []
    for axis in (1, 2):
        count = valid.cumsum(axis)
        last = count.select(axis, count.shape[axis] - 1).unsqueeze(axis)
        angles = (count / (last + 1e-6) * (2 * math.pi))[..., None] / waves
        parts.append(torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], dim=-1).flatten(-2))
    return torch.cat(parts, dim=-1).permute(0, 3, 1, 2)


class EncoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, positions, padding):
        placed = x + positions
        x = self.norm1(x + self.self_attn(placed, placed, x, key_padding_mask=padding, need_weights=False)[0])
        return self.norm2(x + self.linear2(self.linear1(x).relu()))


class DecoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.multihead_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, x, queries, memory, positions, padding):
        placed = x + queries
        x = self.norm1(x + self.self_attn(placed, placed, x, need_weights=False)[0])
        seen = self.multihead_attn(
            x + queries, memory + positions, memory, key_padding_mask=padding, need_weights=False)[0]
        x = self.norm2(x + seen)
        return self.norm3(x + self.linear2(self.linear1(x).relu()))


class Stack(nn.Module):
    """Layers, and a normalization at the end of some."""

    def __init__(self, layers, norm=None):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        if norm is not None:
            self.norm = norm


class Transformer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, layers: int):
        super().__init__()
        self.encoder = Stack(EncoderLayer(width, heads, hidden) for _ in range(layers))
        self.decoder = Stack((DecoderLayer(width, heads, hidden) for _ in range(layers)), nn.LayerNorm(width))

    def forward(self, x, queries, positions, padding):
        for layer in self.encoder.layers:
            x = layer(x, positions, padding)
        objects = torch.zeros_like(queries)
        for layer in self.decoder.layers:
            objects = layer(objects, queries, x, positions, padding)
        return self.decoder.norm(objects)


class MLP(nn.Module):
    def __init__(self, *widths: int):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)


class DETR(nn.Module):
    def __init__(self, width: int = 256, queries: int = 100, labels: int = 91):
        super().__init__()
        self.transformer = Transformer(width, heads=8, hidden=2048, layers=6)
        self.class_embed = nn.Linear(width, labels + 1)
        self.bbox_embed = MLP(width, width, width, 4)
        self.query_embed = nn.Embedding(queries, width)
        self.input_proj = nn.Conv2d(2048, width, 1)
        self.backbone = nn.ModuleList([Backbone()])

    def forward(self, image: torch.Tensor, mask: torch.Tensor):
        """Logits N×100×92 and boxes N×100×4 of images N×3×H×W whose padding is where the mask N×H×W is true."""
        features = self.input_proj(self.backbone[0].body(image))
        padding = nn.functional.interpolate(mask[:, None].float(), size=features.shape[-2:])[:, 0].bool()
        positions = sine_positions(padding, features.shape[1]).flatten(2).transpose(1, 2)
        queries = self.query_embed.weight.expand(len(image), -1, -1)
        objects = self.transformer(
            features.flatten(2).transpose(1, 2), queries, positions, padding.flatten(1))
        return self.class_embed(objects), self.bbox_embed(objects).sigmoid()


def resized(width: int, height: int, short_side: int = 800, long_side: int = 1333) -> tuple:
    """The width and height that a picture is resized to for evaluation."""
    short, long = min(width, height), max(width, height)
    if long / short * short_side > long_side:
        short_side = round(long_side * short / long)
    if short == short_side:
        return width, height
    other = int(short_side * long / short)
    return (short_side, other) if width < height else (other, short_side)


def detections(logits: torch.Tensor, boxes: torch.Tensor, sizes: list) -> tuple:
    """Scores and labels N×100, and boxes N×100×4 (x1, y1, x2, y2) in pixels, for pictures of the given widths and heights."""
    scores, labels = logits.softmax(-1)[..., :-1].max(-1)
    x, y, width, height = boxes.unbind(-1)
    corners = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=-1)
    return scores, labels, corners * torch.tensor([[w, h, w, h] for w, h in sizes])[:, None]
