"""DCGAN (Radford et al. 2016) with the names of PyTorch's tutorial, written from the paper; with classes as planes of ones."""

import torch
from torch import nn


class Generator(nn.Module):
    def __init__(self, nz=100, ngf=64, nc=3, image_size=64, num_classes=0):
        super().__init__()
        self.classes, steps = num_classes, image_size.bit_length() - 3
        layers, width = [], nz + num_classes
        for step in range(steps):
            wider = ngf << (steps - 1 - step)
            layers += [nn.ConvTranspose2d(width, wider, 4, *((1, 0) if step == 0 else (2, 1)), bias=False), nn.BatchNorm2d(wider), nn.ReLU()]
            width = wider
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(width, nc, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, z, labels=None):
        if self.classes:
            z = torch.cat([z, nn.functional.one_hot(labels, self.classes).float()[:, :, None, None]], 1)
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self, ndf=64, nc=3, image_size=64, num_classes=0, norm="batch"):
        super().__init__()
        self.classes, steps = num_classes, image_size.bit_length() - 3
        layers, width = [], nc + num_classes
        for step in range(steps):
            layers.append(nn.Conv2d(width, ndf << step, 4, 2, 1, bias=False))
            if step and norm == "batch":
                layers.append(nn.BatchNorm2d(ndf << step))
            layers.append(nn.LeakyReLU(0.2))
            width = ndf << step
        self.main = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 0, bias=False))

    def logits(self, x, labels=None):
        if self.classes:
            marks = nn.functional.one_hot(labels, self.classes).float()[:, :, None, None]
            x = torch.cat([x, marks.expand(-1, -1, *x.shape[2:])], 1)
        return self.main(x)

    def forward(self, x, labels=None):
        return torch.sigmoid(self.logits(x, labels))


def slope_penalty(critic, x, labels=None) -> torch.Tensor:
    """The gradient penalty of WGAN-GP at pictures x (Gulrajani et al. 2017, equation 3)."""
    x = x.clone().requires_grad_()
    slope, = torch.autograd.grad(critic.logits(x, labels).sum(), x, create_graph=True)
    return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
