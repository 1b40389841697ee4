"""Expected values for YOLO v5 and v8: predictions of the networks of `yolo.py`, and the parts of v8's loss with their gradient.

    python tools/reference/yolo_fixtures.py Tests/AviaryZooTests/Fixtures/yolo.safetensors

`<network>.predictions` for a picture of 64×96 with the weights of deterministic.py, all of the first networks and the beginnings of the
others; `<network>.parameters`, int64. `loss.map<i>`, `loss.boxes`, `loss.labels` and `loss.counts` are what a loss was computed from,
`loss.parts` and `loss.gradient<i>` what came out.
"""

import sys

import numpy as np
import torch
from safetensors.torch import save_file

import deterministic
import yolo

WHOLE = ("yolov5n", "yolov8n")
SHAPE = (1, 3, 64, 96)
CLASSES = 3
# SiLU halves small values: with larger variances the last layers would say the same of all pictures.
SPREAD = 0.75


def predictions(name):
    network = yolo.YOLO(name).eval()
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if key.endswith(("anchors", "dfl.conv.weight", "num_batches_tracked")):
                continue
            tensor.copy_(torch.from_numpy(deterministic.torch_tensor(key, tuple(tensor.shape), SPREAD)))
        result = network(torch.from_numpy(deterministic.image(shape=SHAPE)))
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return result if name in WHOLE else result[:, :8].contiguous(), torch.tensor([trained])


def losses():
    sizes = [(8, 12), (4, 6), (2, 3)]
    maps = [torch.from_numpy(deterministic.image(f"map {i}", (3, 4 * yolo.BINS + CLASSES, *size))).requires_grad_()
            for i, size in enumerate(sizes)]
    truth = [torch.tensor([[4.0, 6, 40, 50], [10, 3, 60, 44], [50, 20, 90, 60]]), torch.zeros(0, 4),
             torch.tensor([[0.0, 0, 96, 64]])]
    labels = [torch.tensor([0, 2, 1]), torch.zeros(0, dtype=torch.long), torch.tensor([1])]
    parts = yolo.loss(maps, labels, truth)
    (7.5 * parts[0] + 0.5 * parts[1] + 1.5 * parts[2]).backward()
    result = {"loss.boxes": torch.cat(truth), "loss.labels": torch.cat(labels),
              "loss.counts": torch.tensor([len(t) for t in truth]), "loss.parts": torch.stack(parts).detach()}
    for i, m in enumerate(maps):
        result[f"loss.map{i}"] = m.detach()
        result[f"loss.gradient{i}"] = m.grad
    return result


def main():
    tensors = losses()
    for name in yolo.NETWORKS:
        tensors[f"{name}.predictions"], tensors[f"{name}.parameters"] = predictions(name)
        spread = tensors[f"{name}.predictions"]
        print(name, tuple(spread.shape), float(spread.min()), float(spread.max()), int(tensors[f"{name}.parameters"]))
    print("loss", tensors["loss.parts"].tolist())
    save_file({k: v.contiguous() for k, v in tensors.items()}, sys.argv[1])


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
