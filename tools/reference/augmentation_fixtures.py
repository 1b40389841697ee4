"""Writes what torchvision and Pillow make of a small picture.

    python augmentation_fixtures.py Tests/AviaryVisionTests/Fixtures/augmentation.json

    "source":  {"rgb", "grey": {"width", "height", "channels", "pixels"}}
    "changes": [{"name", "source", "arguments", "width", "height", "channels", "pixels"}]

`pixels` is base64 of uint8 H×W×C. Changes are those of `torchvision.transforms.functional` on Pillow pictures, `erase` on the tensor;
`randaugment` is torchvision's `_apply_op` with the magnitudes of its `RandAugment`.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
import torchvision.transforms.functional as F
from PIL import Image
from torchvision.transforms import InterpolationMode, RandAugment
from torchvision.transforms.autoaugment import _apply_op

from image_fixtures import picture

MODES = dict(nearest=InterpolationMode.NEAREST, bilinear=InterpolationMode.BILINEAR)


def encoded(image: Image.Image) -> dict:
    pixels = np.asarray(image)
    return dict(
        width=image.width, height=image.height, channels=1 if pixels.ndim == 2 else 3,
        pixels=base64.b64encode(pixels.tobytes()).decode())


def main(path: str) -> None:
    sources = dict(
        rgb=Image.fromarray(picture("augmented", 25, 18, 3)),
        noise=Image.fromarray(picture("noise", 15, 15, 3, smooth=False)),
        grey=Image.fromarray(picture("augmented grey", 14, 20, 1)[:, :, 0]))
    changes = []

    def add(name, source, image, *arguments, mode=None):
        changes.append(dict(
            name=name, source=source, arguments=list(arguments), mode=mode or "nearest", **encoded(image)))

    for source, image in sources.items():
        width, height = image.size
        add("flipHorizontally", source, F.hflip(image))
        add("flipVertically", source, F.vflip(image))
        add("crop", source, F.crop(image, 3, 5, 10, 8), 5, 3, 8, 10)
        add("crop", source, F.crop(image, -4, 10, 20, 30), 10, -4, 30, 20)
        add("resizedCrop", source, F.resized_crop(image, 3, 2, 11, 10, [12, 20]), 2, 3, 10, 11, 20, 12)
        for factor in (0, 0.3, 0.75, 1, 1.4, 2.7):
            for name in ("brightness", "contrast", "saturation", "sharpness"):
                add(name, source, getattr(F, f"adjust_{name}")(image, factor), factor)
        for shift in (-0.5, -0.2, -0.03, 0.1, 0.25, 0.5):
            add("hue", source, F.adjust_hue(image, shift), shift)
        for threshold in (0, 77.5, 128, 255):
            add("solarize", source, F.solarize(image, threshold), threshold)
        for bits in (1, 4, 7, 8):
            add("posterize", source, F.posterize(image, bits), bits)
        add("autocontrast", source, F.autocontrast(image))
        add("equalize", source, F.equalize(image))
        array = np.asarray(image).reshape(height, width, -1)
        erased = F.erase(torch.from_numpy(array.transpose(2, 0, 1).copy()), 4, 6, 9, 5, torch.tensor(9))
        add("erase", source, Image.fromarray(erased.numpy().transpose(1, 2, 0).squeeze()), 6, 4, 5, 9, 9)
        for mode, value in MODES.items():
            for degrees in (0, 10, 33.3, 90, -45, 180, 200):
                add("rotate", source, F.rotate(image, degrees, value, fill=7), degrees, 7, mode=mode)
            for degrees, translate, scale, shear in (
                    (0, (3, -2), 1, (0, 0)), (0, (0, 0), 0.7, (0, 0)), (0, (0, 0), 1.6, (0, 0)),
                    (0, (0, 0), 1, (12, 0)), (0, (0, 0), 1, (0, -20)), (25, (2, 4), 0.85, (5, -7)),
                    (-70, (-3, 1), 1.3, (10, 0))):
                add("affine", source, F.affine(image, degrees, list(translate), scale, list(shear), value, fill=0),
                    degrees, *translate, scale, *shear, mode=mode)
        augment = RandAugment()
        for magnitude in (4, 9, 30):
            for name, (strengths, signed) in augment._augmentation_space(31, (height, width)).items():
                for negative in (False, True) if signed else (False,):
                    strength = float(strengths[magnitude]) if strengths.ndim else 0.0
                    image2 = _apply_op(image, name, -strength if negative else strength, MODES["nearest"], None)
                    add("randaugment " + name, source, image2, magnitude, int(negative))
    text = json.dumps(dict(source={name: encoded(image) for name, image in sources.items()}, changes=changes))
    pathlib.Path(path).write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
