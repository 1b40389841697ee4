"""The Inception network of pytorch-fid: torchvision's with other poolings, 1008 outputs, and pictures of 0…1 resized inside."""

import torch
from torch.nn import functional

import classifiers


def _poolings(block, pool) -> None:
    """Makes an Inception block pool by `pool` in its last branch."""
    kind, own = type(block), functional.avg_pool2d

    def forward(x):
        try:
            functional.avg_pool2d = lambda values, **_: pool(values)
            return kind.forward(block, x)
        finally:
            functional.avg_pool2d = own

    block.forward = forward


def inception() -> torch.nn.Module:
    """Names as torchvision's; pictures to logits."""
    network = classifiers.import_torchvision().models.inception_v3(
        weights=None, num_classes=1008, aux_logits=False, init_weights=False, transform_input=False)
    average = functional.avg_pool2d

    def mean(x):
        return average(x, kernel_size=3, stride=1, padding=1, count_include_pad=False)

    def largest(x):
        return functional.max_pool2d(x, kernel_size=3, stride=1, padding=1)

    def resized(_, inputs):
        x = functional.interpolate(inputs[0], size=(299, 299), mode="bilinear", align_corners=False)
        return (2 * x - 1,)

    for name in ("5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b"):
        _poolings(getattr(network, f"Mixed_{name}"), mean)
    _poolings(network.Mixed_7c, largest)
    network.register_forward_pre_hook(resized)
    return network
