"""A step of Gatys et al.'s style transfer in PyTorch: on VGG-19, by Adam, with losses in parts of the targets' own size as ours has them."""

import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reference"))
import style  # noqa: E402

SIDE = 512
MEAN, STD = (np.float32(x).reshape(1, 3, 1, 1) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
NAMES = style.layer_names(style.VGG19)
CONTENT = "relu4_2"
STYLES = [f"relu{block}_1" for block in range(1, 6)]
CONTENT_WEIGHT, STYLE_WEIGHT, VARIATION_WEIGHT = 1, 50, 1


class Trunk(torch.nn.Module):
    """The convolutions of VGG-19, with torchvision's names."""

    def __init__(self):
        super().__init__()
        self.features = style.vgg(style.VGG19)

    def forward(self, picture) -> dict:
        """What stands behind each layer up to the last that is compared."""
        last = NAMES.index(STYLES[-1]) + 1
        return style.activations(self.features[:last], NAMES, picture)


def inputs() -> dict:
    """Two pictures of 8 bits as the network takes them: one with coarse shades, one with fine ones."""
    from PIL import Image

    def picture(cells: int):
        coarse = np.random.default_rng(cells).integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        pixels = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        return ((pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255 - MEAN) / STD).astype(np.float32)

    content, manner = picture(12), picture(64)
    return {"image": content, "content": content, "style": manner}


def step(trunk, image, content, manner):
    """A function that takes one step and gives the loss before it."""
    mean, std = torch.from_numpy(MEAN), torch.from_numpy(STD)
    trunk.requires_grad_(False)
    with torch.no_grad():
        wanted = trunk(content)[CONTENT]
        own, targets = ({name: style.gram(found[name]) for name in STYLES} for found in (trunk(content), trunk(manner)))
    content_weight = CONTENT_WEIGHT / wanted.square().mean()
    style_weights = {
        name: STYLE_WEIGHT / len(STYLES) / torch.maximum(
            functional.mse_loss(own[name], targets[name]), 1e-3 * targets[name].square().mean())
        for name in STYLES}
    values = ((image * std + mean) * 255).round().requires_grad_()
    optimizer = torch.optim.Adam([values], lr=2)

    def take() -> float:
        found = trunk((values / 255 - mean) / std)
        loss = content_weight * functional.mse_loss(found[CONTENT], wanted)
        for name in STYLES:
            loss = loss + style_weights[name] * functional.mse_loss(style.gram(found[name]), targets[name])
        neighbours = (values[..., 1:] - values[..., :-1]).abs().sum() + (values[:, :, 1:] - values[:, :, :-1]).abs().sum()
        loss = loss + VARIATION_WEIGHT / (255 * values.numel()) * neighbours
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return take
