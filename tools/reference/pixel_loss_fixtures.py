"""Writes what the losses of networks for pixels are, and their gradients, from PyTorch with deterministic weights.

    python pixel_loss_fixtures.py Tests/AviaryZooTests/Fixtures/pixel_losses.safetensors

`dice.*`: the Dice loss of one channel as brain-segmentation-pytorch defines it (loss.py): 1 − (2 Σpt + 1) / (Σp + Σt + 1) over a whole
batch. `hed.*`: holistically-nested edge detection (arXiv:1504.06375) with equation 2 for the five side outputs and equation 3's fused one,
each summed over a picture, meaned over the pictures, all with weight 1; a pixel labelled 255 counts nothing.
"""

import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional

import deterministic

VGG16 = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512]
SHAPE = (2, 3, 21, 30)


class HED(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels, self.ends = [], 3, []
        for width in VGG16:
            if width == "M":
                self.ends.append(len(layers) - 1)
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        self.ends.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        for number, width in enumerate((64, 128, 256, 512, 512), 1):
            setattr(self, f"dsn{number}", nn.Conv2d(width, 1, 1))
        self.fuse = nn.Conv2d(5, 1, 1)

    def forward(self, x):
        size, sides = x.shape[2:], []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.ends:
                side = getattr(self, f"dsn{len(sides) + 1}")(x)
                sides.append(functional.interpolate(side, size=size, mode="bilinear", align_corners=False))
        return [self.fuse(torch.cat(sides, 1)), *sides]


def balanced(logits, labels):
    total = 0
    for row, truth in zip(logits[:, 0], labels):
        edge, other = truth == 1, truth == 0
        beta = other.sum() / (edge.sum() + other.sum())
        total = total - beta * functional.logsigmoid(row[edge]).sum() - (1 - beta) * functional.logsigmoid(-row[other]).sum()
    return total / len(labels)


def main(file: pathlib.Path) -> None:
    tensors = {}
    labels = (deterministic.uniform("labels", (SHAPE[0], *SHAPE[2:])) < 0.2).astype(np.int64)
    logits = torch.from_numpy(deterministic.image("logits", (SHAPE[0], 1, *SHAPE[2:]))).requires_grad_()
    truth = torch.from_numpy(labels).float()[:, None]
    p = logits.sigmoid()
    loss = 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
    loss.backward()
    tensors["dice.labels"], tensors["dice.loss"] = labels, loss.detach().numpy()
    tensors["dice.gradient"] = logits.grad.numpy()

    ignored = labels.copy()
    ignored[0, :3] = 255
    model = HED()
    deterministic.fill_torch(model)
    outputs = model(torch.from_numpy(deterministic.image("input", SHAPE)))
    losses = [balanced(output, torch.from_numpy(ignored)) for output in outputs]
    loss = sum(losses)
    loss.backward()
    tensors["hed.labels"], tensors["hed.loss"] = ignored, loss.detach().numpy()
    tensors["hed.fused"] = losses[0].detach().numpy()
    for name, parameter in model.named_parameters():
        # Every so many values, and the largest, which tolerances are relative to.
        values = parameter.grad.flatten()
        tensors[f"hed.gradient.{name}"] = values[:: max(1, len(values) // 24)].numpy().copy()
        tensors[f"hed.gradient.{name}.largest"] = values.abs().max().numpy()
    print({name: float(value) for name, value in tensors.items() if value.size == 1 and "gradient" not in name})
    save_file({name: np.asarray(value, order="C") for name, value in tensors.items()}, file)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
