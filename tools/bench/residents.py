"""Networks of other tasks than classification, one of each kind: what PyTorch runs, and on what.

Each gives one tensor, the output that is compared; inputs are by the names that ours have.
"""

import pathlib
import sys

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reference"))
import deterministic  # noqa: E402
import detr  # noqa: E402
import unet  # noqa: E402
import vae  # noqa: E402
import yolo  # noqa: E402

DDPM = {  # google/ddpm-cifar10-32
    "sample_size": 32, "block_out_channels": (128, 256, 256, 256), "layers_per_block": 2, "freq_shift": 1,
    "flip_sin_to_cos": False, "downsample_padding": 0, "attention_head_dim": None, "norm_eps": 1e-6,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D")}


class RetinaUNet(nn.Module):
    """orobix' retina-unet, with the numbers of its layers."""

    def __init__(self):
        super().__init__()
        channels = (1, 32, 32, 64, 64, 128, 128 + 64, 64, 64 + 32, 32, 32)
        outputs = (32, 32, 64, 64, 128, 128, 64, 64, 32, 32, 2)
        for index, (i, o) in enumerate(zip(channels, outputs), start=1):
            kernel = 1 if index == 11 else 3
            self.add_module(f"conv{index}", nn.Conv2d(i, o, kernel, padding=kernel // 2))

    def forward(self, image):
        def conv(index, x):
            return nn.functional.relu(getattr(self, f"conv{index}")(x))

        def doubled(x):
            return nn.functional.interpolate(x, scale_factor=2, mode="nearest")

        full = conv(2, conv(1, image))
        half = conv(4, conv(3, nn.functional.max_pool2d(full, 2)))
        quarter = conv(6, conv(5, nn.functional.max_pool2d(half, 2)))
        up = conv(8, conv(7, torch.cat([doubled(quarter), half], 1)))
        return conv(11, conv(10, conv(9, torch.cat([doubled(up), full], 1))))


class CharRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(65, 128), nn.LSTM(128, 128, 2, batch_first=True)
        self.fc = nn.Linear(128, 65)

    def forward(self, tokens):
        return self.fc(self.lstm(self.embedding(tokens))[0])


class Means(vae.VAE):
    """The reconstruction from the code's mean, as in evaluation."""

    def forward(self, image):
        return self.decode(self.encode(image)[0])


class Logits(detr.DETR):
    """The labels' logits of pictures without padding."""

    def forward(self, image):
        return super().forward(image, torch.zeros(image[:, 0].shape, dtype=torch.bool))[0]


def segmentation(name: str):
    """torchvision's network of pixels with its auxiliary head, which ours computes too."""
    import classifiers

    network = getattr(classifiers.import_torchvision().models.segmentation, name)(
        weights=None, weights_backbone=None, aux_loss=True)

    class Out(type(network)):
        def forward(self, image):
            return super().forward(image)["out"]

    network.__class__ = Out
    return network


def detection(name: str):
    """torchvision's detector with deterministic weights, for one picture; its compiled operators are needed."""
    import detectors

    network = detectors.network(name)

    class Boxes(type(network)):
        def forward(self, image):
            return super().forward([image[0]])[0]["boxes"]

    network.__class__ = Boxes
    return network


def denoising():
    from diffusers import UNet2DModel

    class Noise(UNet2DModel):
        def forward(self, sample, timesteps):
            return super().forward(sample, timesteps).sample

    return Noise(**DDPM)


MAKERS = {
    "unet": unet.UNet, "unet_bilinear": lambda: unet.UNet(bilinear=True), "unet_drive": RetinaUNet,
    "detr_resnet50": Logits, "ddpm_cifar10": denoising, "vae_mnist": Means, "charrnn": CharRNN,
    "yolov8n": lambda: yolo.YOLO("yolov8n"), "yolov5n": lambda: yolo.YOLO("yolov5n"),
    "fasterrcnn_resnet50_fpn": lambda: detection("fasterrcnn_resnet50_fpn"),
    "fcn_resnet50": lambda: segmentation("fcn_resnet50"), "deeplabv3_resnet50": lambda: segmentation("deeplabv3_resnet50")}


def inputs(model: str, batch: int) -> dict:
    """The arrays of a batch by our names, in the order of PyTorch's arguments."""
    def picture(*shape):
        return deterministic.image(shape=(batch, *shape))

    tokens = np.arange(batch * 64, dtype=np.int64).reshape(batch, 64) % 65
    return {
        "unet": lambda: {"image": picture(3, 256, 256)},
        "unet_bilinear": lambda: {"image": picture(3, 256, 256)},
        "unet_drive": lambda: {"image": picture(1, 584, 568)},
        "detr_resnet50": lambda: {"image": picture(3, 800, 1216)},
        "ddpm_cifar10": lambda: {"sample": picture(3, 32, 32), "timesteps": np.arange(batch, dtype=np.int64) * 97 % 1000},
        "vae_mnist": lambda: {"image": np.abs(picture(784)) % 1},
        "charrnn": lambda: {"tokens": tokens},
        "yolov8n": lambda: {"images": np.abs(picture(3, 640, 640)) % 1},
        "yolov5n": lambda: {"images": np.abs(picture(3, 640, 640)) % 1},
        "fasterrcnn_resnet50_fpn": lambda: {"image": np.abs(picture(3, 480, 640)) % 1},
        "fcn_resnet50": lambda: {"image": picture(3, 520, 520)},
        "deeplabv3_resnet50": lambda: {"image": picture(3, 520, 520)},
    }[model]()


def state(model: str) -> dict:
    """Deterministic values for the network's parameters and buffers."""
    entries = MAKERS[model]().state_dict().items()
    if model == "fasterrcnn_resnet50_fpn":
        return dict(entries)
    # What follows from the architecture is the model's own; SiLU halves small values, and has smaller variances.
    own, spread = ("num_batches_tracked", "anchors", "dfl.conv.weight"), 0.75 if model.startswith("yolo") else 1
    return {
        name: torch.from_numpy(deterministic.torch_tensor(name, tuple(tensor.shape), spread))
        for name, tensor in entries if not name.endswith(own)
    } | {name: tensor for name, tensor in entries if name.endswith(own[1:])}
