"""Writes learned positions as torchvision resamples them for other sizes of input.

    python position_fixtures.py Tests/AviaryZooTests/Fixtures/positions.safetensors

`positions.<side>`, float32 [1, tokens, 8]: the first eight numbers of each token of ViT-Ti/16, whose positions for 224×224 are those of
deterministic.py.
"""

import sys

import torch
from safetensors.torch import save_file

import classifiers
import deterministic

NAME, PATCH, WIDTH = "encoder.pos_embedding", 16, 192


def resampled(side: int) -> torch.Tensor:
    """The positions for inputs of `side` pixels."""
    vision_transformer = classifiers.import_torchvision().models.vision_transformer
    positions = torch.from_numpy(deterministic.torch_tensor(NAME, (1, 14 * 14 + 1, WIDTH)))
    return vision_transformer.interpolate_embeddings(side, PATCH, {NAME: positions})[NAME]


if __name__ == "__main__":
    save_file({f"positions.{side}": resampled(side)[..., :8].contiguous() for side in (96, 384)}, sys.argv[1])
