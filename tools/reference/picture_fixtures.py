"""Writes what whole pipelines of torchvision and timm make of a JPEG, and the presets that those use.

    python picture_fixtures.py FOLDER [PICTURES]

FOLDER receives

    synthetic.jpg         a picture of our own: gradients, edges as of letters, noise; odd sides, colour at half resolution
    logits.safetensors    `<reference>/<model>/<picture>`, float32 [classes]: decoded by Pillow, transformed by the preset that belongs to
                          the published weights, run with the weights of deterministic.py
    presets.json          resize, crop, interpolation, mean and deviation of every set of published weights of classifiers.py, with
                          what is published of it

PICTURES is a folder with real pictures; of some of those below it the logits are written as well, named by their path. Without it what
logits.safetensors has of them stays.
"""

import json
import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw
from safetensors.numpy import load_file, save_file

import classifiers
import deterministic
import image_fixtures

# Bilinear and bicubic, convolutions and attention, both packages, and a network that scales its input once more.
MODELS = [
    "torchvision/resnet50", "torchvision/googlenet", "torchvision/efficientnet_b0", "torchvision/swin_t", "timm/vit_ti_16"]
SYNTHETIC = "synthetic.jpg"
# How many of the real pictures, in the order of their names.
REAL = 4


def synthetic() -> Image.Image:
    """The picture, 375×501."""
    width, height = 375, 501
    image = Image.fromarray(image_fixtures.picture("synthetic", width, height, 3))
    draw = ImageDraw.Draw(image)
    strokes = deterministic.uniform("strokes", (60, 6))
    for x, y, dx, dy, shade, thickness in strokes.tolist():
        start = (x * width, y * height)
        end = (start[0] + (dx - 0.5) * 90, start[1] + (dy - 0.5) * 90)
        grey = int(shade * 255)
        draw.line([start, end], fill=(grey, 255 - grey, int(thickness * 255)), width=1 + int(thickness * 4))
    return image


def published(model: str) -> dict:
    """The sets of weights that a package publishes for a model and that the zoo can hold, by the zoo's name of their dialect."""
    reference, name = model.split("/")
    if reference == "torchvision":
        weights = classifiers.import_torchvision().models.get_model_weights(name)
        return {"tv_" + w.name[-2:].lower(): w for w in weights if w.name in ("IMAGENET1K_V1", "IMAGENET1K_V2")}
    import timm

    dialect = "timm_augreg" if name.startswith("vit") else "timm"
    return {dialect: timm.models.get_pretrained_cfg(timm_tag(name))}


def timm_tag(name: str) -> str:
    """timm's name of the weights that the model's card has an address of, or else of those it takes itself."""
    weights = classifiers.card(name)["weights"]
    url = next((w["url"] for w in weights if w["framework"] == "timm"), None)
    return url.split("/")[0] if url else classifiers.TIMM_NAMES[name]


def transform(weights):
    """The function from a Pillow picture to C×H×W that belongs to published weights."""
    if hasattr(weights, "transforms"):
        return weights.transforms()
    import timm.data

    return timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=weights.to_dict()))


def preset(model: str, dialect: str, weights) -> dict:
    """A preset's numbers: those of a transform's parts, and of torchvision's own classes for a whole one."""
    made, name = transform(weights), model.split("/")[1]
    entry = {"model": name, "dialect": dialect}
    if hasattr(weights, "transforms"):
        entry |= {
            "resize": made.resize_size[0], "crop": made.crop_size[0], "interpolation": made.interpolation.value,
            "mean": made.mean, "std": made.std}
        # Networks with published weights turn these pictures into those of the weights they were made from.
        if name in ("googlenet", "inception_v3"):
            entry |= {"mean": [0.5] * 3, "std": [0.5] * 3}
        metrics = weights.meta["_metrics"]["ImageNet-1K"]
        return entry | {
            "file": weights.url.split("/")[-1], "top1": metrics["acc@1"], "top5": metrics["acc@5"],
            "giga_multiply_adds": weights.meta["_ops"]}
    parts = {type(part).__name__: part for part in made.transforms}
    resize, normalize = parts["Resize"], parts["Normalize"]
    return entry | {
        "resize": resize.size if isinstance(resize.size, int) else resize.size[0],
        "crop": parts["CenterCrop"].size[0], "interpolation": resize.interpolation.value,
        "mean": normalize.mean.tolist(), "std": normalize.std.tolist()}


def logits(model: str, pictures: dict) -> dict:
    reference, name = model.split("/")
    build, run, _ = classifiers.REFERENCES[reference]
    network = build(name)
    if hasattr(network, "transform_input"):
        network.transform_input = True  # as with published weights
    prepare = transform(next(iter(published(model).values())))
    result = {}
    for title, image in pictures.items():
        values = run(network, prepare(image.convert("RGB")).numpy()[None])[0]
        result[f"{model}/{title}"] = np.ascontiguousarray(values)
        print(f"{model:28} {title:40} largest logit {np.abs(values).max():.4g}", flush=True)
    return result


def main(folder: pathlib.Path, pictures: pathlib.Path | None) -> None:
    classifiers.import_torchvision()
    folder.mkdir(parents=True, exist_ok=True)
    synthetic().save(folder / SYNTHETIC, "JPEG", quality=85, subsampling=2)
    opened = {SYNTHETIC: Image.open(folder / SYNTHETIC)}
    target = folder / "logits.safetensors"
    kept = load_file(target) if target.exists() and not pictures else {}
    if pictures:
        paths = sorted(path for path in pictures.glob("imagenet/*") if path.suffix.lower() in (".jpg", ".jpeg"))[:REAL]
        opened |= {str(path.relative_to(pictures)): Image.open(path) for path in paths}
    save_file(kept | {k: v for model in MODELS for k, v in logits(model, opened).items()}, target)
    models = [model for model in classifiers.ALL if model.split("/")[0] in ("torchvision", "timm")]
    presets = [preset(model, *item) for model in models for item in published(model).items()]
    (folder / "presets.json").write_text("[\n " + ",\n ".join(map(json.dumps, presets)) + "\n]\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None)
