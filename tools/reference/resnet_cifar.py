"""Residual networks for CIFAR-10 in PyTorch: the reference for the zoo's resnet20 to resnet110.

He et al. 2016 (arXiv:1512.03385), section 4.2, with shortcuts without parameters (option A). Names are those of the published
checkpoints: conv1, bn1, layer1.0.conv1 ... layer3.n.bn2, linear.
"""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.added = outputs - inputs
        self.stride = 2 if self.added else 1
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        half = self.added // 2
        shortcut = functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, half, half))
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet(nn.Module):
    def __init__(self, depth: int):
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for group, (inputs, outputs) in enumerate([(16, 16), (16, 32), (32, 64)]):
            layers = [Block(inputs if place == 0 else outputs, outputs) for place in range(blocks)]
            setattr(self, f"layer{group + 1}", nn.Sequential(*layers))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))
