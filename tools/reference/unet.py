"""Reference U-Nets in PyTorch, which no package has.

`UNet` is the network of milesial's Pytorch-UNet: names, order of concatenation and padding of odd sizes are its own. `BrainUNet` is that of
brain-segmentation-pytorch.
"""

import torch
from torch import nn
from torch.nn import functional


class DoubleConv(nn.Module):
    def __init__(self, inputs: int, outputs: int, middle: int | None = None, bias: bool = False):
        super().__init__()
        middle = middle or outputs
        self.double_conv = nn.Sequential(
            nn.Conv2d(inputs, middle, 3, padding=1, bias=bias), nn.BatchNorm2d(middle), nn.ReLU(),
            nn.Conv2d(middle, outputs, 3, padding=1, bias=bias), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(inputs, outputs, bias=bias))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, bilinear: bool, bias: bool):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(inputs, outputs, inputs // 2, bias)
        else:
            self.up = nn.ConvTranspose2d(inputs, inputs // 2, 2, stride=2)
            self.conv = DoubleConv(inputs, outputs, bias=bias)

    def forward(self, x, skip):
        x = self.up(x)
        rows, columns = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        x = functional.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        return self.conv(torch.cat([skip, x], 1))


class OutConv(nn.Module):
    def __init__(self, inputs: int, classes: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, classes, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, channels: int = 3, classes: int = 2, bilinear: bool = False, bias: bool = False):
        super().__init__()
        half = 2 if bilinear else 1
        self.inc = DoubleConv(channels, 64, bias=bias)
        self.down1, self.down2, self.down3 = Down(64, 128, bias), Down(128, 256, bias), Down(256, 512, bias)
        self.down4 = Down(512, 1024 // half, bias)
        self.up1 = Up(1024, 512 // half, bilinear, bias)
        self.up2 = Up(512, 256 // half, bilinear, bias)
        self.up3 = Up(256, 128 // half, bilinear, bias)
        self.up4 = Up(128, 64, bilinear, bias)
        self.outc = OutConv(64, classes)

    def forward(self, image):
        x1 = self.inc(image)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        x = self.up1(self.down4(x4), x4)
        return self.outc(self.up4(self.up3(self.up2(x, x3), x2), x1))


class BrainUNet(nn.Module):
    """The network of brain-segmentation-pytorch by its names; gives the sigmoid of the logits, as it does."""

    def __init__(self, channels: int = 3, outputs: int = 1, width: int = 32):
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        places = [f"encoder{level}" for level in range(1, 5)] + ["bottleneck"]
        for place, inputs, own in zip(places, [channels, *widths], widths):
            setattr(self, place, self.block(place.replace("oder", ""), inputs, own))
        for level in range(4, 0, -1):
            own = widths[level - 1]
            setattr(self, f"upconv{level}", nn.ConvTranspose2d(2 * own, own, 2, stride=2))
            setattr(self, f"decoder{level}", self.block(f"dec{level}", 2 * own, own))
        self.conv = nn.Conv2d(width, outputs, 1)

    @staticmethod
    def block(name: str, inputs: int, outputs: int):
        result = nn.Sequential()
        for number, width in ((1, inputs), (2, outputs)):
            result.add_module(f"{name}conv{number}", nn.Conv2d(width, outputs, 3, padding=1, bias=False))
            result.add_module(f"{name}norm{number}", nn.BatchNorm2d(outputs))
            result.add_module(f"{name}relu{number}", nn.ReLU())
        return result

    def forward(self, x):
        kept = []
        for level in range(1, 5):
            kept.append(getattr(self, f"encoder{level}")(x))
            x = functional.max_pool2d(kept[-1], 2)
        x = self.bottleneck(x)
        for level in range(4, 0, -1):
            x = getattr(self, f"decoder{level}")(torch.cat([getattr(self, f"upconv{level}")(x), kept.pop()], 1))
        return self.conv(x).sigmoid()
