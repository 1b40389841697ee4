"""The peers' networks, with the weights of a file or with deterministic ones."""

import json
import pathlib
import sys

import items
import language
import residents
import styling
import torch
import writing
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reference"))
import classifiers  # noqa: E402
import deterministic  # noqa: E402

LAST_OF_BLOCK = (4, 9, 18, 27, 36)  # the places in vgg19.features where a block's pooling stands


class MobileNet(nn.Module):
    """MobileNet v1 with the geometry of Keras: stride-2 convolutions are padded at the end only, epsilon is 0.001."""

    def __init__(self, width: float = 1.0):
        super().__init__()
        channels = [int(width * c) for c in (32, 64, 128, 128, 256, 256) + (512,) * 6 + (1024, 1024)]
        self.features = nn.ModuleDict()
        self._add("conv1", 3, channels[0], kernel=3, stride=2)
        for pair, (inputs, outputs) in enumerate(zip(channels, channels[1:]), start=1):
            stride = 2 if pair in (2, 4, 6, 12) else 1
            self._add(f"conv_dw_{pair}", inputs, inputs, kernel=3, stride=stride, groups=inputs)
            self._add(f"conv_pw_{pair}", inputs, outputs, kernel=1)
        self.conv_preds = nn.Conv2d(channels[-1], 1000, 1)

    def _add(self, name, inputs, outputs, kernel, stride=1, groups=1):
        padding = kernel // 2 if stride == 1 else 0
        self.features[name] = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.features[name + "_bn"] = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        for layer in self.features.values():
            if isinstance(layer, nn.BatchNorm2d):
                x = nn.functional.relu6(layer(x))
            else:
                x = layer(nn.functional.pad(x, (0, 1, 0, 1)) if layer.stride == (2, 2) else x)
        return self.conv_preds(x.mean((2, 3), keepdim=True)).flatten(1)


class Transfer(nn.Module):
    """The convolutions of a VGG network with a new head, the first blocks frozen."""

    def __init__(self, features, frozen_blocks: int, widths):
        super().__init__()
        self.features = features
        layers = [nn.Flatten()]
        for index, (inputs, outputs) in enumerate(zip((512 * 7 * 7, *widths), widths)):
            layers += [nn.ReLU()] if index else []
            layers.append(nn.Linear(inputs, outputs))
        self.head = nn.Sequential(*layers)
        self.frozen = LAST_OF_BLOCK[frozen_blocks - 1] + 1 if frozen_blocks else 0
        features[:self.frozen].requires_grad_(False)

    def forward(self, x):
        return self.head(self.features(x))


def make(item) -> nn.Module:
    """The item's network without values."""
    if item.kind == "language":
        return language.make(item)
    if item.model in items.RESIDENTS:
        return residents.MAKERS[item.model]()
    if item.kind == "styling":
        return styling.Trunk()
    if item.kind == "writing":
        return writing.model()
    with torch.device("meta"):
        if item.model.startswith("mobilenet_v1_"):
            return MobileNet(float(item.model.removeprefix("mobilenet_v1_")))
        model = classifiers.import_torchvision().models.get_model(item.model, weights=None)
        return Transfer(model.features, item.frozen_blocks, item.head) if item.head else model


def load(item, folder) -> nn.Module:
    """The item's network with the weights in `folder`."""
    from safetensors.torch import load_file

    model = make(item)
    # Copies: tensors that lie in a mapped file need not be aligned, which would slow the peer down.
    state = {name: tensor.clone() for name, tensor in load_file(f"{folder}/weights.safetensors").items()}
    if item.kind == "language":
        state = language.published(state)
    # Buffers that follow from the architecture are not in the files.
    model.load_state_dict(state, assign=True, strict=item.model not in items.RESIDENTS and item.kind != "writing")
    if item.kind == "writing":
        model.tie_weights()
    return model.eval()


def deterministic_state(item) -> dict:
    """Deterministic values for the item's network, as its file has them."""
    if item.kind == "language":
        entries = make(item).state_dict().items()
        return language.published(
            {n: torch.from_numpy(deterministic.torch_tensor(n, tuple(t.shape))) for n, t in entries})
    if item.model in items.RESIDENTS:
        return residents.state(item.model)
    if not item.head and not item.model.startswith("mobilenet_v1_") and item.kind not in ("styling", "writing"):
        # Values that follow from the architecture (Swin's positions) are the model's own.
        return classifiers.torchvision_model(item.model).state_dict()
    entries = make(item).state_dict().items()
    # A head that is the table of words has no values of its own.
    return {
        n: torch.from_numpy(deterministic.torch_tensor(n, tuple(t.shape))) for n, t in entries if n != "lm_head.weight"}


def metadata(item) -> dict:
    """What a weight file of ours says beside its tensors, where these alone do not tell the network."""
    if not item.head:
        return {}
    configuration = {"branch": "block5", "head": list(item.head)}
    about = {
        "format_version": 1, "model": item.model, "dialect": "tv_v1", "num_classes": item.head[-1],
        "configuration": configuration}
    return {"aviary": json.dumps(about)}


def inputs(item) -> dict:
    """The arrays of an item by our names, in the order of PyTorch's arguments: for a classifier N×3×H×W as the model's card says."""
    if item.kind == "language":
        return language.inputs(item)
    if item.model in items.RESIDENTS:
        return residents.inputs(item.model, item.batch)
    if item.kind == "styling":
        return styling.inputs()
    if item.kind == "writing":
        return writing.inputs()
    return {"input": deterministic.image(shape=(item.batch, *classifiers.input_shape(item.model)[1:]))}
