"""References of style transfer in PyTorch: the losses of Gatys et al., the network of pytorch/examples, AdaIN.

`TransformerNet` has the names and the arithmetic of pytorch/examples (fast_neural_style), `encoder` and `decoder` those of pytorch-AdaIN.
"""

import torch
from torch import nn
from torch.nn import functional

VGG19 = [2, 2, 4, 4, 4]


def vgg(convolutions: list, average: bool = False) -> nn.Sequential:
    """The convolutions of VGG with torchvision's places."""
    layers, channels = [], 3
    for width, count in zip([64, 128, 256, 512, 512], convolutions):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.AvgPool2d(2) if average else nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def layer_names(convolutions: list) -> list:
    """What stands at each place: conv1_1, relu1_1, … pool1, …"""
    names = []
    for block, count in enumerate(convolutions, 1):
        for index in range(1, count + 1):
            names += [f"conv{block}_{index}", f"relu{block}_{index}"]
        names.append(f"pool{block}")
    return names


def activations(features: nn.Sequential, names: list, picture) -> dict:
    found = {}
    for name, layer in zip(names, features):
        picture = layer(picture)
        found[name] = picture
    return found


def gram(activation):
    matrix = activation.flatten(2)[0]
    return matrix @ matrix.T / matrix.numel()


def gatys(features, names, image, content, style, contents: dict, styles: dict, variation: float = 0) -> tuple:
    """The losses with the layers' weights in them, and the gradient with respect to the picture."""
    image = image.clone().requires_grad_()
    found = activations(features, names, image)
    with torch.no_grad():
        wanted, manner = activations(features, names, content), activations(features, names, style)
    content_loss = sum(w * functional.mse_loss(found[name], wanted[name]) for name, w in contents.items())
    style_loss = sum(w * functional.mse_loss(gram(found[name]), gram(manner[name])) for name, w in styles.items())
    differences = (image[..., 1:] - image[..., :-1]).abs().sum() + (image[:, :, 1:] - image[:, :, :-1]).abs().sum()
    loss = content_loss + style_loss + variation * differences
    loss.backward()
    return content_loss.detach(), style_loss.detach(), loss.detach(), image.grad


class ConvLayer(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, upsample=None):
        super().__init__()
        self.upsample, self.pad = upsample, nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x):
        if self.upsample:
            x = functional.interpolate(x, mode="nearest", scale_factor=self.upsample)
        return self.conv2d(self.pad(x))


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.in1 = ConvLayer(channels, channels, 3, 1), nn.InstanceNorm2d(channels, affine=True)
        self.conv2, self.in2 = ConvLayer(channels, channels, 3, 1), nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x):
        return self.in2(self.conv2(functional.relu(self.in1(self.conv1(x))))) + x


class TransformerNet(nn.Module):
    def __init__(self, f: int = 32):
        super().__init__()
        def norm(channels):
            return nn.InstanceNorm2d(channels, affine=True)

        self.conv1, self.in1 = ConvLayer(3, f, 9, 1), norm(f)
        self.conv2, self.in2 = ConvLayer(f, 2 * f, 3, 2), norm(2 * f)
        self.conv3, self.in3 = ConvLayer(2 * f, 4 * f, 3, 2), norm(4 * f)
        for index in range(1, 6):
            setattr(self, f"res{index}", ResidualBlock(4 * f))
        self.deconv1, self.in4 = ConvLayer(4 * f, 2 * f, 3, 1, 2), norm(2 * f)
        self.deconv2, self.in5 = ConvLayer(2 * f, f, 3, 1, 2), norm(f)
        self.deconv3 = ConvLayer(f, 3, 9, 1)

    def forward(self, x):
        y = functional.relu(self.in1(self.conv1(x)))
        y = functional.relu(self.in2(self.conv2(y)))
        y = functional.relu(self.in3(self.conv3(y)))
        for index in range(1, 6):
            y = getattr(self, f"res{index}")(y)
        y = functional.relu(self.in4(self.deconv1(y)))
        y = functional.relu(self.in5(self.deconv2(y)))
        return self.deconv3(y)


class AdaIN(nn.Module):
    """The encoder up to relu4_1 (or relu3_1) and its decoder, written out as pytorch-AdaIN has them."""

    def __init__(self, level: int = 4):
        super().__init__()
        def conv(inputs, outputs):
            return [nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 3), nn.ReLU()]

        def pool():
            return [nn.MaxPool2d(2, 2, 0, ceil_mode=True)]

        def up():
            return [nn.Upsample(scale_factor=2, mode="nearest")]

        encoder = [nn.Conv2d(3, 3, 1)] + conv(3, 64) + conv(64, 64) + pool() + conv(64, 128) + conv(128, 128) + pool() + conv(128, 256)
        decoder = conv(256, 128) + up() + conv(128, 128) + conv(128, 64) + up() + conv(64, 64) + conv(64, 3)[:-1]
        if level == 4:
            encoder += conv(256, 256) + conv(256, 256) + conv(256, 256) + pool() + conv(256, 512)
            decoder = conv(512, 256) + up() + conv(256, 256) + conv(256, 256) + conv(256, 256) + decoder
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)

    def forward(self, content, style, alpha: float):
        content, style = self.encoder(content), self.encoder(style)

        def statistics(x):
            rows = x.flatten(2)
            return rows.mean(2)[..., None, None], (rows.var(2) + 1e-5).sqrt()[..., None, None]

        (mean, std), (style_mean, style_std) = statistics(content), statistics(style)
        adapted = (content - mean) / std * style_std + style_mean
        return self.decoder(alpha * adapted + (1 - alpha) * content)
