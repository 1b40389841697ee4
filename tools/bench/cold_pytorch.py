"""Classifies one picture with PyTorch, from a cold start: python cold_pytorch.py MODEL WEIGHTS.pth PICTURE THREADS."""

import json
import pathlib
import sys

import torch
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reference"))
import classifiers  # noqa: E402

torch.set_num_threads(int(sys.argv[4]))
torchvision = classifiers.import_torchvision()
# Neither values that are overwritten anyway nor a second copy of the file: the fastest way to load.
with torch.device("meta"):
    model = torchvision.models.get_model(sys.argv[1], weights=None)
model.load_state_dict(torch.load(sys.argv[2], mmap=True, weights_only=True), assign=True)
transform = torchvision.transforms.Compose([
    torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224), torchvision.transforms.ToTensor(),
    torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
with torch.inference_mode():
    logits = model.eval()(transform(Image.open(sys.argv[3]).convert("RGB"))[None])[0]
probabilities, top = logits.softmax(0).topk(5)
print(json.dumps([{"index": i, "probability": p} for i, p in zip(top.tolist(), probabilities.tolist())]))
