"""The classifiers that Aviary is compared with, built by their reference implementations with deterministic weights."""

import os
import sys

import numpy as np

import deterministic

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

TORCHVISION = (
    "alexnet vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg16_bn resnet18 resnet34 resnet50 resnet101 resnet152").split()
KERAS = "vgg16 vgg19 resnet50 mobilenet_1.0 mobilenet_0.75 mobilenet_0.5 mobilenet_0.25".split()
ALL = [f"torchvision/{name}" for name in TORCHVISION] + [f"keras/{name}" for name in KERAS]


def import_torchvision():
    """The module torchvision, also where its compiled operators cannot be loaded.

    That happens with a torchvision built for CUDA beside a torch built for the CPU; the import then fails for want of
    declarations of two operators that no classifier calls.
    """
    try:
        import torchvision
    except RuntimeError:
        import torch

        for module in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[module]
        declarations = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            declarations.define(f"{name}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

        torchvision.operator_declarations = declarations  # they vanish with their last reference
    return torchvision


def torchvision_model(name: str):
    """A torchvision classifier in evaluation mode with deterministic weights."""
    torchvision = import_torchvision()
    model = torchvision.models.get_model(name, weights=None).eval()
    deterministic.fill_torch(model)
    return model


def keras_model(name: str, filled: bool = True):
    """A Keras application without its softmax; `filled` with deterministic weights or as initialised."""
    from keras import applications, backend

    backend.clear_session()
    options = dict(weights=None, classifier_activation=None)
    if name.startswith("mobilenet_"):
        model = applications.MobileNet(alpha=float(name.split("_")[1]), **options)
    else:
        build = {"vgg16": applications.VGG16, "vgg19": applications.VGG19, "resnet50": applications.ResNet50}
        model = build[name](**options)
    if filled:
        deterministic.fill_keras(model)
    return model


def torchvision_logits(model, images: np.ndarray) -> np.ndarray:
    """Logits N×1000 of images N×3×224×224."""
    import torch

    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy()


def keras_logits(model, images: np.ndarray) -> np.ndarray:
    """Logits N×1000 of images N×3×224×224 (the values, transposed to the N×H×W×C that Keras takes)."""
    return np.asarray(model(np.ascontiguousarray(images.transpose(0, 2, 3, 1)), training=False))
