"""Writes the files of one work item: the same weights and input for ours and for every peer.

    python prepare.py ITEM FOLDER

weights.safetensors (names of the reference checkpoint), input.npz (the inputs by name), model.onnx for inference;
for a cold start also picture.jpg and weights.pth.
"""

import pathlib
import sys
import warnings

import items
import networks
import numpy as np
import torch
from safetensors.torch import save_file


def export(model, item: items.Item, file: pathlib.Path) -> None:
    """Writes the network as ONNX for the item's batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = networks.inputs(item)
        torch.onnx.export(
            model, tuple(map(torch.from_numpy, inputs.values())), str(file), dynamo=False, opset_version=17,
            do_constant_folding=True, input_names=list(inputs), output_names=[item.output])
    if isinstance(model, networks.MobileNet):
        fold_padding(file)


def fold_padding(file: pathlib.Path) -> None:
    """Moves MobileNet's padding at the end into the convolutions behind it.

    ONNX convolutions can pad one side only, which PyTorch's cannot; ONNX Runtime leaves the separate operations as they are,
    with a change of layout around each.
    """
    import onnx

    document = onnx.load(file)
    graph = document.graph
    padded = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[0] in padded:
            node.input[0] = padded[node.input[0]].input[0]
            pads = next(attribute for attribute in node.attribute if attribute.name == "pads")
            pads.ints[:] = [0, 0, 1, 1]
    for pad in padded.values():
        graph.node.remove(pad)
    onnx.save(document, file)


def write_picture(file: pathlib.Path) -> None:
    """A JPEG of 500×375 pixels with smooth shades, as a photograph has them."""
    from PIL import Image

    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(file, quality=90)


def main(item: items.Item, folder: pathlib.Path) -> None:
    state = networks.deterministic_state(item)
    save_file(state, folder / "weights.safetensors", metadata=networks.metadata(item))
    np.savez(folder / "input.npz", **networks.inputs(item))
    if not item.has_losses:
        export(networks.load(item, folder), item, folder / "model.onnx")
    if item.kind == "cold":
        torch.save(state, folder / "weights.pth")
        write_picture(folder / "picture.jpg")


if __name__ == "__main__":
    main(items.find(sys.argv[1]), pathlib.Path(sys.argv[2]))
