"""The classifiers that Aviary is compared with, built by their reference implementations with deterministic weights.

A model is written `reference/model`: `torchvision/resnet50`, `keras/mobilenet_v1_0.25`. Models have the zoo's names.
"""

import functools
import json
import os
import pathlib
import sys

import numpy as np

import deterministic

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

# The models that are compared, by family.
FAMILIES = {
    "lenet": "original/lenet keras/lenet",
    "alexnet": "torchvision/alexnet",
    "squeezenet": "torchvision/squeezenet1_0 torchvision/squeezenet1_1",
    "vgg": """torchvision/vgg11 torchvision/vgg13 torchvision/vgg16 torchvision/vgg19 torchvision/vgg11_bn
        torchvision/vgg13_bn torchvision/vgg16_bn torchvision/vgg19_bn keras/vgg16 keras/vgg19""",
    "resnet": """torchvision/resnet18 torchvision/resnet34 torchvision/resnet50 torchvision/resnet101
        torchvision/resnet152 torchvision/resnext50_32x4d torchvision/resnext101_32x8d torchvision/wide_resnet50_2
        torchvision/wide_resnet101_2 keras/resnet50 keras/resnet101 keras/resnet152""",
    "resnet_v2": "keras/resnet50_v2 keras/resnet101_v2 keras/resnet152_v2",
    "resnet_cifar": """original/resnet20 original/resnet32 original/resnet44 original/resnet56 original/resnet110
        keras/resnet8""",
    "densenet": """torchvision/densenet121 torchvision/densenet161 torchvision/densenet169 torchvision/densenet201
        keras/densenet121 keras/densenet169 keras/densenet201""",
    "googlenet": "torchvision/googlenet",
    "inception_v3": "torchvision/inception_v3 keras/inception_v3 original/inception_v3_fid",
    "xception": "keras/xception",
    "mobilenet": """keras/mobilenet_v1_1.0 keras/mobilenet_v1_0.75 keras/mobilenet_v1_0.5
        keras/mobilenet_v1_0.25 keras/mobilenet_v1_0.25_vww""",
    "mobilenet_v2": """torchvision/mobilenet_v2 keras/mobilenet_v2 keras/mobilenet_v2_0.35 keras/mobilenet_v2_0.5
        keras/mobilenet_v2_0.75 keras/mobilenet_v2_1.3 keras/mobilenet_v2_1.4""",
    "mobilenet_v3": """torchvision/mobilenet_v3_large torchvision/mobilenet_v3_small keras/mobilenet_v3_large
        keras/mobilenet_v3_small""",
    "efficientnet": """torchvision/efficientnet_b0 torchvision/efficientnet_b1 torchvision/efficientnet_b2
        torchvision/efficientnet_b3 keras/efficientnet_b0 keras/efficientnet_b1 keras/efficientnet_b2
        keras/efficientnet_b3""",
    "convnext": "torchvision/convnext_tiny",
    "vision_transformer": """torchvision/vit_b_16 torchvision/vit_b_32 torchvision/vit_l_16 torchvision/vit_l_32
        timm/vit_ti_16 timm/vit_s_16 timm/vit_b_16 timm/vit_b_32 timm/vit_l_16 timm/vit_l_32""",
    "swin": """torchvision/swin_t torchvision/swin_s torchvision/swin_b torchvision/swin_v2_t timm/swin_t timm/swin_s
        timm/swin_b""",
}
FAMILIES = {family: models.split() for family, models in FAMILIES.items()}
ALL = [model for models in FAMILIES.values() for model in models]

# The spread of deterministic.py in families whose models would hardly notice another input with 1.
SPREADS = {"mobilenet_v3": 0.75, "efficientnet": 0.6875}

# Models whose names in Keras Applications are not the zoo's in small letters.
KERAS_NAMES = {
    "vgg16": "VGG16", "vgg19": "VGG19", "resnet50": "ResNet50", "resnet101": "ResNet101",
    "resnet152": "ResNet152", "resnet50_v2": "ResNet50V2",
    "resnet101_v2": "ResNet101V2", "resnet152_v2": "ResNet152V2", "densenet121": "DenseNet121",
    "densenet169": "DenseNet169", "densenet201": "DenseNet201", "inception_v3": "InceptionV3", "xception": "Xception",
    "mobilenet_v3_large": "MobileNetV3Large", "mobilenet_v3_small": "MobileNetV3Small",
    "efficientnet_b0": "EfficientNetB0", "efficientnet_b1": "EfficientNetB1", "efficientnet_b2": "EfficientNetB2",
    "efficientnet_b3": "EfficientNetB3",
}
# Keras' classes of networks whose names end in the width: `mobilenet_v1_0.25`; without one it is 1.
KERAS_WIDTHS = {"mobilenet_v1": "MobileNet", "mobilenet_v2": "MobileNetV2"}
# Networks that Keras Applications lack: functions of keras_networks.py.
KERAS_OWN = {"lenet": "lenet", "resnet8": "resnet8", "mobilenet_v1_0.25_vww": "mobilenet_v1_vww"}
# torchvision's Inception networks: all of the checkpoint, and no first values, which are slow to make and filled over.
TORCHVISION_OPTIONS = {name: {"aux_logits": True, "init_weights": False} for name in ("googlenet", "inception_v3")}

TIMM_NAMES = {
    "vit_ti_16": "vit_tiny_patch16_224", "vit_s_16": "vit_small_patch16_224", "vit_b_16": "vit_base_patch16_224",
    "vit_b_32": "vit_base_patch32_224", "vit_l_16": "vit_large_patch16_224", "vit_l_32": "vit_large_patch32_224",
    "swin_t": "swin_tiny_patch4_window7_224", "swin_s": "swin_small_patch4_window7_224", "swin_b": "swin_base_patch4_window7_224"}


def card(name: str) -> dict:
    """The zoo's card of a model."""
    cards = pathlib.Path(__file__).parents[2] / "zoo"
    file = next(iter(cards.glob(f"*/*/Cards/{name}.json")), None)
    if file is None:
        sys.exit(f"the zoo has no card of {name}")
    return json.loads(file.read_text())


def input_shape(name: str) -> tuple:
    """1×C×H×W, from the model's card."""
    return (1, *card(name)["input"])


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


def spread(name: str) -> float:
    """The factor of a model's running variances."""
    return next((SPREADS[family] for family in SPREADS if name.startswith(family)), 1)


def filled(model, name: str = ""):
    """A torch module in evaluation mode with deterministic weights."""
    deterministic.fill_torch(model.eval(), spread(name))
    return model


def torchvision_model(name: str):
    """A torchvision classifier in evaluation mode with deterministic weights."""
    options = TORCHVISION_OPTIONS.get(name, {})
    return filled(import_torchvision().models.get_model(name, weights=None, **options), name)


def original_model(name: str):
    """A network that no package has, from its reference implementation here."""
    import fid
    import lenet
    import resnet_cifar

    made = {"lenet": lenet.LeNet, "inception_v3_fid": fid.inception}.get(name)
    return filled(made() if made else resnet_cifar.ResNet(int(name.removeprefix("resnet"))))


def timm_model(name: str):
    """A classifier of timm in evaluation mode with deterministic weights."""
    import_torchvision()
    import timm

    return filled(timm.create_model(TIMM_NAMES[name], pretrained=False, num_classes=1000))


def torchvision_counterpart(name: str):
    """torchvision's network, with first values, of a model that timm has too; built of its class where it has no such size."""
    models = import_torchvision().models
    sizes = {"vit_ti_16": (3, 192), "vit_s_16": (6, 384)}
    if name not in sizes:
        return models.get_model(name, weights=None).eval()
    heads, width = sizes[name]
    return models.VisionTransformer(224, 16, num_layers=12, num_heads=heads, hidden_dim=width, mlp_dim=4 * width).eval()


def keras_application(name: str):
    """A network of Keras Applications, as initialised."""
    from keras import applications

    base, width = name[:12], name[13:]
    build = (
        functools.partial(getattr(applications, KERAS_WIDTHS[base]), alpha=float(width or 1))
        if base in KERAS_WIDTHS else getattr(applications, KERAS_NAMES[name]))
    channels, height, side = input_shape(name)[1:]
    return build(weights=None, classifier_activation=None, input_shape=(height, side, channels))


def keras_model(name: str, filled: bool = True):
    """A Keras network without its softmax; `filled` with deterministic weights or as initialised."""
    from keras import backend

    backend.clear_session()
    if name in KERAS_OWN:
        import keras_networks

        model = getattr(keras_networks, KERAS_OWN[name])()
    else:
        model = keras_application(name)
    if filled:
        deterministic.fill_keras(model, spread(name))
    return model


def torch_logits(model, images: np.ndarray) -> np.ndarray:
    """Logits N×classes of images N×C×H×W."""
    import torch

    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy()


def auxiliary_logits(model, images: np.ndarray) -> np.ndarray | None:
    """Logits heads×N×classes of a torchvision network's auxiliary classifiers, in its order; None when it has none."""
    import torch

    if not getattr(model, "aux_logits", False):
        return None
    model.training = True  # of the network itself alone: it returns them, while its layers stay in evaluation mode
    with torch.no_grad():
        output = model(torch.from_numpy(images))._asdict()
    model.training = False
    return np.stack([output[name].numpy() for name in sorted(output) if name.startswith("aux")])


def keras_logits(model, images: np.ndarray) -> np.ndarray:
    """Logits N×classes of images N×C×H×W (the values, transposed to the N×H×W×C that Keras takes).

    Where scaling the pixels is a part of the graph, it is undone first: the first convolution gets `images`.
    """
    images = images.transpose(0, 2, 3, 1)
    for layer in model.layers:
        if type(layer).__name__ == "Rescaling":
            images = (images - np.float32(layer.offset)) / np.float32(layer.scale)
    return np.asarray(model(np.ascontiguousarray(images), training=False))


def torch_counts(model) -> tuple:
    trainable = sum(p.numel() for p in model.parameters())
    return trainable, trainable


def keras_counts(model) -> tuple:
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights), model.count_params()


# How each reference builds a model, computes its logits, and counts its parameters (trained, and as published: Keras counts
# running statistics too, torch does not).
REFERENCES = {
    "torchvision": (torchvision_model, torch_logits, torch_counts),
    "timm": (timm_model, torch_logits, torch_counts),
    "original": (original_model, torch_logits, torch_counts),
    "keras": (keras_model, keras_logits, keras_counts),
}
