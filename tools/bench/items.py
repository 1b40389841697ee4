"""What is compared: the work items, by name."""

import dataclasses
import re

INFERENCE_PEERS = ("pytorch", "pytorch_channels_last", "pytorch_compiled", "onnxruntime", "openvino")
TRAINING_PEERS = ("pytorch", "pytorch_channels_last")

# Networks of other tasks than classification (see residents.py), and the output that is compared.
RESIDENTS = {
    "unet": "logits", "unet_bilinear": "logits", "unet_drive": "logits", "detr_resnet50": "pred_logits",
    "ddpm_cifar10": "noise", "vae_mnist": "reconstruction", "charrnn": "logits",
    "yolov8n": "predictions", "yolov5n": "predictions", "fcn_resnet50": "out", "deeplabv3_resnet50": "out",
    "fasterrcnn_resnet50_fpn": "boxes"}

WRITTEN = 32  # tokens of a text

TARGETS = {"unet": 0.90, "detr_resnet50": 0.90, "yolov8n": 0.90, "fasterrcnn_resnet50_fpn": 0.90}


@dataclasses.dataclass(frozen=True)
class Item:
    """One piece of work that ours and the peers do."""

    name: str
    title: str
    model: str
    kind: str  # inference, training, styling, writing, language (training steps of a language model) or cold
    batch: int = 1
    frozen_blocks: int = 0  # of VGG
    head: tuple = ()  # widths of the linear layers that replace the classifier
    tokens: int = 0  # of each text that a language model learns from
    settings: tuple = ()  # of ours where the model is no published one: name=value
    learning_rate: float = 1e-3  # small enough that the losses do not depend on the last bit of a gradient
    target: float | None = None  # the ratio of the times that is aimed at
    busy_target: float | None = 1.1
    memory_target: float | None = None

    @property
    def peers(self) -> tuple:
        peers = {"inference": INFERENCE_PEERS, "cold": ("onnxruntime", "pytorch"), "language": ("pytorch",)}
        return peers.get(self.kind, TRAINING_PEERS)

    @property
    def has_losses(self) -> bool:
        """Whether an iteration is a step that gives a loss, which is compared instead of an output."""
        return self.kind in ("training", "styling", "writing", "language")

    @property
    def output(self) -> str:
        """The name of the output that is compared."""
        return RESIDENTS.get(self.model, "logits")

    def bench_arguments(self, folder) -> list:
        """The command line of `aviary bench` for this item; its weights and input lie in `folder`."""
        arguments = ["bench", self.model, "--weights", f"{folder}/weights.safetensors"]
        arguments += ["--input", f"{folder}/input.npz", "--batch", str(self.batch), "--interactive"]
        for setting in self.settings:
            arguments += ["--set", setting]
        if self.kind in ("training", "language"):
            arguments += ["--train", "--learning-rate", str(self.learning_rate)]
        if self.kind == "styling":
            arguments += ["--train"]
        if self.kind == "writing":
            arguments += ["--write", str(WRITTEN)]
        if self.frozen_blocks:
            arguments += ["--freeze", f"block1...block{self.frozen_blocks}"]
        return arguments


def inference(model: str, batch: int, target: float | None = None) -> Item:
    return Item(f"{model}-b{batch}", f"{model}, batch {batch}", model, "inference", batch, target=target)


def training(model: str, batch: int, target: float | None = None, memory_target: float | None = None) -> Item:
    return Item(
        f"{model}-train-b{batch}", f"{model}, training step, batch {batch}", model, "training", batch, target=target,
        memory_target=memory_target)


ITEMS = (
    inference("resnet50", 1, 0.90),
    inference("resnet50", 8, 0.82),
    inference("vgg16", 1, 0.55),
    inference("alexnet", 1, 0.95),
    inference("mobilenet_v1_1.0", 1, 1.0),
    inference("mobilenet_v2", 1, 1.0),
    inference("inception_v3", 1, 1.0),
    inference("vit_b_16", 1, 1.0),
    inference("swin_t", 1, 1.0),
    inference("densenet121", 1, 1.0),
    inference("efficientnet_b0", 1, 1.0),
    *(inference(name, 1, TARGETS.get(name)) for name in RESIDENTS),
    inference("ddpm_cifar10", 16, 0.80),
    training("resnet18", 16, 0.60, memory_target=0.70),
    Item(
        "gatys_vgg19-step", "gatys_vgg19, step of style transfer, 512×512", "gatys_vgg19", "styling", target=0.60,
        memory_target=1.0),
    Item(
        "lstm-train-b20", "charrnn with two LSTM layers of 650 and 10 000 words, training step, 20 texts of 35 tokens",
        "charrnn", "language", 20, tokens=35, settings=("vocabulary=10000", "embedding=650", "width=650", "layers=2"),
        learning_rate=0.5, target=0.90),
    Item(
        "gpt2-train-b8", "gpt2 of 6 layers of 512 with 8 heads and 10 000 words, training step, 8 texts of 128 tokens",
        "gpt2", "language", 8, tokens=128,
        settings=(
            "vocab_size=10000", "n_embd=512", "n_layer=6", "n_head=8", "embd_pdrop=0", "attn_pdrop=0", "resid_pdrop=0"),
        learning_rate=1e-4, target=0.90),
    Item("gpt2-write", f"gpt2, {WRITTEN} tokens after 64, one by one", "gpt2", "writing", target=0.90),
    Item(
        "vgg19-finetune-b8", "vgg19, fine-tuning step, blocks 1–3 frozen, new head, batch 8", "vgg19", "training", 8,
        frozen_blocks=3, head=(256, 5), learning_rate=1e-5, target=0.50),
    Item(
        "resnet50-cold", "resnet50, cold start: process start to answer on one picture", "resnet50", "cold",
        target=0.50, memory_target=0.70),
)


def find(name: str) -> Item:
    """The item of this name; besides those listed, `MODEL-bN` and `MODEL-train-bN` for any torchvision classifier of the zoo."""
    for item in ITEMS:
        if item.name == name:
            return item
    match = re.fullmatch(r"(.+?)(-train)?-b(\d+)", name)
    if match is None or match[1].endswith("-finetune"):
        raise SystemExit(f"compare: there is no item {name}; there are {', '.join(i.name for i in ITEMS)}")
    return (training if match[2] else inference)(match[1], int(match[3]))
