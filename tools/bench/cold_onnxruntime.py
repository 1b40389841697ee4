"""Classifies one picture with ONNX Runtime, from a cold start: python cold_onnxruntime.py MODEL.onnx PICTURE THREADS.

Imports as little as that takes: ONNX Runtime, NumPy and Pillow.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

picture = Image.open(sys.argv[2]).convert("RGB")
scale = 256 / min(picture.size)
picture = picture.resize((int(picture.width * scale), int(picture.height * scale)), Image.Resampling.BILINEAR)
left, top = (round((side - 224) / 2) for side in picture.size)
pixels = np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32) / np.float32(255)
pixels = (pixels - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
logits = session.run(None, {"input": np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])})[0][0]
probabilities = np.exp(logits - logits.max())
probabilities /= probabilities.sum()
top = np.argsort(-probabilities)[:5]
print(json.dumps([{"index": int(i), "probability": float(probabilities[i])} for i in top]))
