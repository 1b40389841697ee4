"""Writes what DETR must reproduce, and checks the reference of detr.py against transformers.

    python detr_fixtures.py Tests/AviaryZooTests/Fixtures/detr.safetensors

Weights and pictures are those of deterministic.py. But the queries' embeddings are 16 times as large, and what ends a residual branch of the
transformer is a quarter as large: else all places would look nearly the same to the decoder, and all queries give nearly the same answer.
`single.*`: a picture whose sides are no multiples of 32. `batch.*`: two pictures of
different sizes (`batch.sizes`, width and height), padded with zeros, and what is made of the outputs for pictures of twice these sizes.
`transformers.*` and `transformers5.*`: the first queries' outputs of transformers' network with deterministic weights under the names that its
files have and under those that it has in memory, for the single picture. `resized`: widths and heights of pictures, and of what they are
resized to.
"""

import os
import pathlib
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

import deterministic
import detr

SINGLE = (1, 3, 130, 202)
BATCH = [(136, 168), (200, 104)]
QUERIES_OF_TRANSFORMERS = 20
FACTORS = {"query_": 16, "out_proj.weight": 0.25, "o_proj.weight": 0.25, "linear2.weight": 0.25, "fc2.weight": 0.25}
PICTURES = [
    (640, 480), (480, 640), (1920, 1080), (1080, 1920), (800, 800), (500, 500), (800, 1333), (1333, 800), (1334, 800), (33, 1000),
    (1000, 34), (427, 640), (641, 385), (1067, 801), (612, 367), (3, 2000)]


def weight(name: str, shape) -> np.ndarray:
    """The deterministic weight of a name of any dialect."""
    factor = next((factor for part, factor in FACTORS.items() if part in name), 1)
    return deterministic.torch_tensor(name, tuple(shape)) * np.float32(factor)


def filled(network):
    """The network in evaluation mode with deterministic weights under its names."""
    network.load_state_dict(
        {name: torch.from_numpy(weight(name, tensor.shape)) for name, tensor in network.state_dict().items()})
    return network.eval()


def transformers_network():
    """DETR of transformers with a ResNet of its own, as initialised."""
    body = ResNetConfig(
        embedding_size=64, hidden_sizes=[256, 512, 1024, 2048], depths=[3, 4, 6, 3], layer_type="bottleneck",
        out_features=["stage4"])
    config = DetrConfig(use_timm_backbone=False, backbone_config=body, num_labels=91)
    return DetrForObjectDetection(config).eval()


def from_files(network):
    """The network with deterministic weights under the names that its files have, through such a file."""
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        file = pathlib.Path(folder) / "model.safetensors"
        tensors = load_file(file)
        save_file({name: weight(name, tensor.shape) for name, tensor in tensors.items()}, file, {"format": "pt"})
        return DetrForObjectDetection.from_pretrained(folder).eval()


def with_weights_of(network, ours):
    """transformers' network with the weights of the reference, by shape and place; the projections in `ours` are stacked."""
    names = {}
    for name in network.state_dict():
        new = name
        for theirs, mine in [
            ("model.backbone.model.embedder.embedder.convolution", "backbone.0.body.conv1"),
            ("model.backbone.model.embedder.embedder.normalization", "backbone.0.body.bn1"),
            ("shortcut.convolution", "downsample.0"), ("shortcut.normalization", "downsample.1"),
            ("model.input_projection", "input_proj"), ("model.query_position_embeddings", "query_embed"),
            ("class_labels_classifier", "class_embed"), ("bbox_predictor", "bbox_embed"),
            ("model.encoder.", "transformer.encoder."), ("model.decoder.layernorm", "transformer.decoder.norm"),
            ("model.decoder.", "transformer.decoder."), ("self_attn_layer_norm", "norm1"),
            ("encoder_attn_layer_norm", "norm2"), ("encoder_attn", "multihead_attn"), ("o_proj", "out_proj"),
            ("mlp.fc", "linear"),
        ]:
            new = new.replace(theirs, mine)
        new = new.replace("final_layer_norm", "norm2" if ".encoder." in new else "norm3")
        if "encoder.stages" in new:
            part = new.split(".")
            stage, block, rest = int(part[5]), part[7], part[8:]
            if rest[0] == "layer":
                rest = [("conv" if rest[2] == "convolution" else "bn") + str(int(rest[1]) + 1), *rest[3:]]
            new = ".".join(["backbone.0.body", f"layer{stage + 1}", block, *rest])
        names[name] = new
    state = {}
    for theirs, mine in names.items():
        part = next((p for p in ("q_proj", "k_proj", "v_proj") if p in mine), None)
        if part:
            rows = ours[mine.replace(part + ".", "in_proj_")]
            state[theirs] = rows.chunk(3)["qkv".index(part[0])]
        else:
            state[theirs] = ours[mine]
    network.load_state_dict(state)
    return network


def difference(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Of the largest value."""
    return float((actual - expected).abs().max() / expected.abs().max())


def batch() -> tuple:
    """Two pictures padded to a common size, and the mask of their padding."""
    width, height = (max(side) for side in zip(*BATCH))
    images, mask = np.zeros((2, 3, height, width), np.float32), np.ones((2, height, width), bool)
    for index, (w, h) in enumerate(BATCH):
        images[index, :, :h, :w] = deterministic.image(f"picture {index}", (3, h, w))
        mask[index, :h, :w] = False
    return torch.from_numpy(images), torch.from_numpy(mask)


def changes(network, image: torch.Tensor, mask: torch.Tensor, outputs: tuple) -> None:
    """Refuses weights with which a network would hardly notice its picture, its mask or its queries."""
    other = network(torch.from_numpy(deterministic.image("other input", tuple(image.shape))), mask)
    unmasked = network(image, torch.zeros_like(mask))
    for name, given, new, plain in zip(("logits", "boxes"), outputs, other, unmasked):
        apart = float((given[:, 0] - given[:, 1]).abs().max() / given.abs().max())
        print(f"{name}: up to {given.abs().max():.4g}, changed by the picture {difference(new, given):.2g}, by the mask "
              f"{difference(plain, given):.2g}, from query to query {apart:.2g}")
        assert min(difference(new, given), difference(plain, given), apart) > 1e-2


@torch.no_grad()
def main(file: pathlib.Path) -> None:
    reference = filled(detr.DETR())
    state = reference.state_dict()
    tensors = {
        "counts": np.array([len(state), sum(p.numel() for p in reference.parameters())], np.int64),
        "resized": np.array([[*size, *detr.resized(*size)] for size in PICTURES], np.int64),
        "batch.sizes": np.array(BATCH, np.int64)}

    single = torch.from_numpy(deterministic.image(shape=SINGLE))
    nothing = torch.zeros((1, *SINGLE[2:]), dtype=torch.bool)
    images, mask = batch()
    for name, inputs in {"single": (single, nothing), "batch": (images, mask)}.items():
        logits, boxes = reference(*inputs)
        tensors[f"{name}.pred_logits"], tensors[f"{name}.pred_boxes"] = logits.numpy(), boxes.numpy()
    changes(reference, images, mask, (logits, boxes))
    found = detr.detections(logits, boxes, [(2 * w, 2 * h) for w, h in BATCH])
    for name, tensor in zip(("scores", "labels", "boxes"), found):
        tensors[f"batch.{name}"] = tensor.numpy()

    theirs = transformers_network()
    ours = with_weights_of(theirs, state)(pixel_values=images, pixel_mask=(~mask).long())
    for name, given, expected in (("logits", ours.logits, logits), ("boxes", ours.pred_boxes, boxes)):
        print(f"transformers' {name} differ by {difference(given, expected):.2g} of the largest")
        assert difference(given, expected) < 1e-4

    for name, network in {"transformers5": filled(theirs), "transformers": from_files(theirs)}.items():
        output = network(pixel_values=single)
        tensors[f"{name}.pred_logits"] = output.logits[:, :QUERIES_OF_TRANSFORMERS].numpy()
        tensors[f"{name}.pred_boxes"] = output.pred_boxes[:, :QUERIES_OF_TRANSFORMERS].numpy()
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, file)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
