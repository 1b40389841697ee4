"""One peer at work on one item, told through its standard input when to run.

    python peer.py PEER ITEM FOLDER THREADS

Prints `ready {...}` after the warm-up. For every line `N` it then runs N iterations and prints a JSON array of their
milliseconds; for a line `output FILE` it writes what the network gives as .npy and prints `null`. Ends with its input.
"""

import json
import sys
import time

import items
import numpy as np

WARM_UP = 3


def onnxruntime(item, folder, threads: int):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(f"{folder}/model.onnx", options, providers=["CPUExecutionProvider"])
    feed = dict(np.load(f"{folder}/input.npz"))
    return lambda: session.run(None, feed)[0]


def openvino(item, folder, threads: int):
    import openvino as ov

    # Without the hint it computes in bfloat16 where the processor can.
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(f"{folder}/model.onnx", "CPU", options)
    request = compiled.create_infer_request()
    feed, logits = dict(np.load(f"{folder}/input.npz")), compiled.output(0)
    return lambda: request.infer(feed, share_inputs=True, share_outputs=True)[logits]


def pytorch(item, folder, threads: int, channels_last: bool = False, compiled: bool = False):
    import networks
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = networks.load(item, folder).to(memory_format=layout)
    arrays = map(torch.from_numpy, np.load(f"{folder}/input.npz").values())
    inputs = [array.contiguous(memory_format=layout) if array.ndim == 4 else array for array in arrays]
    if item.kind == "training":
        return training_step(model, inputs[0], item)
    if item.kind == "styling":
        import styling

        return styling.step(model, *inputs)
    if item.kind == "language":
        import language

        return language.step(model, *inputs, item)
    if item.kind == "writing":
        import writing

        return writing.text(model, *inputs)
    if compiled:
        import torch._inductor.config

        # Weights become constants: it folds batch normalisation and packs weights ahead, as the other peers do.
        torch._inductor.config.freezing = True
        model = torch.compile(model)

    def forward():
        with torch.no_grad() if compiled else torch.inference_mode():
            return model(*inputs).numpy()

    return forward


def training_step(model, images, item):
    import torch

    labels = torch.arange(len(images)) % (item.head[-1] if item.head else 1000)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=item.learning_rate, momentum=0.9, weight_decay=1e-4)

    def step() -> float:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


PEERS = {
    "pytorch": pytorch,
    "pytorch_channels_last": lambda *a: pytorch(*a, channels_last=True),
    "pytorch_compiled": lambda *a: pytorch(*a, compiled=True),
    "onnxruntime": onnxruntime,
    "openvino": openvino,
}


def milliseconds(iterate) -> float:
    start = time.perf_counter_ns()
    iterate()
    return (time.perf_counter_ns() - start) / 1e6


def main(peer: str, item: items.Item, folder: str, threads: int) -> None:
    # Libraries that print must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    iterate = PEERS[peer](item, folder, threads)
    results = [iterate() for _ in range(WARM_UP)]
    print("ready", json.dumps({"losses": results if item.has_losses else None}), file=answers, flush=True)
    for line in sys.stdin:
        if line.startswith("output "):
            np.save(line.removeprefix("output ").strip(), iterate())
            print("null", file=answers, flush=True)
        else:
            print(json.dumps([milliseconds(iterate) for _ in range(int(line))]), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], items.find(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
