"""Writes what transformers' GPT-2 and its tokenizer make of the same weights, vocabulary and texts, for the tests of the zoo.

    python gpt2_fixtures.py FOLDER
    python gpt2_fixtures.py check PROGRAM
    python gpt2_fixtures.py tensorflow FILE.h5

The first makes `vocab.json` and `merges.txt`, a small vocabulary learned from the text below, `tokens.json` with the numbers that transformers'
tokenizer gives for texts that are hard to cut, and `gpt2.safetensors` with logits: `<case>.input_ids`, `<case>.logits` (every `step`-th of the
vocabulary, the number in the metadata) and the configuration in the metadata. `choice.*` are scores and what is left of them by transformers'
top-k and top-p. Weights are deterministic (`deterministic.py`) under their names without `transformer.`.

The second runs the program with a GPT-2 of full size, and says by how much its logits differ. The third writes a small one under the names and in
the shapes of OpenAI's code for TensorFlow, as groups of HDF5.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer
from transformers.generation.logits_process import TopKLogitsWarper, TopPLogitsWarper

import deterministic

END = "<|endoftext|>"

TEXT = """The gulls had been told that nothing would be left for them, and they didn't believe it. They've seen boats before.
When the boat came in, the harbour's master was counting: one, two, three crates of herring, 12 of mackerel and 104 of nothing at all.
"We'll weigh them," he said, "and you'd better be quick." She's quick; she isn't there. I'm told they're there, where the water is.
Der Möwenschwarm über dem Hafen wäre größer, wenn die Kähne früher kämen. Les mouettes, à côté, n'ont rien mangé.
Чайки ждут лодку у причала. カモメは港で船を待っている。海鸥在港口等船。 1999, 2024 and 30,000 gulls; 3.14 of a fish.
  Two spaces, then\ttabs\t\tand   three.   The end of the line has none of them.
Nothing was left. Nothing would be left. The gulls had seen it before, and the boats, and the water, and the harbour.
"""

# Contractions, white space of every kind, signs, scripts, numbers, control characters, what is hard to cut.
TEXTS = [
    "", " ", "  ", "\n", "a", " a", "  a", "   a", "a ", "a  ", "a b", "The gulls had been told", "the water's edge",
    "they've, we'll, I'm, she'd, it's, don't, you're", "THEY'VE WE'LL I'M", "'s's 's 't'", "''s", "'re've", "o'clock 'tis 'll",
    "line\nline", "line\n\nline", "\n\n\nx", "x\n", "x \n y", "x\r\ny", "tab\tx\t\ty", " \t \n a", "x\u00a0y", "x\u00a0 y", "x \u00a0y",
    "\u3000全角", "x\u2003\u2003y", "x\u200by", "x\x1cy", "x\x85y", "x\u2028\u2029y", "\x00\x01\x7f", "a\x00b",
    "12", " 12", "12 345", "3.14", "1,000,000", "½ ² Ⅷ ٣٤", "x2y3", "über größer", "u\u0308ber", "e\u0301 e\u0301\u0302",
    "à côté", "Чайки ждут", "カモメは港で", "海鸥在港口等船。", "한국어", "ไทย", "हिन्दी", "עברית", "العربية", "🙂", "🙂🙂 🙂", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷",
    "é🙂漢", "!!!", " !!!", "...", " ... ", "?!?", "a-b", "a - b", "x=1;y=2", "<|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b",
    "<|endoftext|><|endoftext|>", "<|endoftext", "|endoftext|>", "\ufffd", "\U0010ffff", "ſ ﬁ ǅ ʰ ª", "_x_ __init__", "#tag @name",
    "Nothing would be left" * 5, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", " " * 50, " " * 50 + "x", "\n" * 20 + "  x", "'" * 9,
    "There\u2019s a \u201cquote\u201d \u2013 and a dash\u2026", TEXT,
]

CASES = {
    "wide": ({"n_layer": 2}, 12, 61),
    "small": ({"vocab_size": 50, "n_positions": 16, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_inner": 40,
               "activation_function": "gelu", "layer_norm_epsilon": 1e-3, "tie_word_embeddings": False}, 16, 1),
}


def fill(model: GPT2LMHeadModel) -> None:
    """Deterministic values under the names of our files; a tied head has none of its own."""
    named = {**dict(model.transformer.named_parameters())}
    if not model.config.tie_word_embeddings:
        named["lm_head.weight"] = model.lm_head.weight
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(torch.from_numpy(deterministic.torch_tensor(name, tuple(parameter.shape))))


def tokens(count: int, vocabulary: int) -> torch.Tensor:
    return torch.tensor([[(7919 * (place + 1)) % vocabulary for place in range(count)]])


def networks() -> tuple:
    tensors, metadata = {}, {}
    for name, (settings, count, step) in CASES.items():
        model = GPT2LMHeadModel(GPT2Config(**settings)).eval()
        fill(model)
        ids = tokens(count, model.config.vocab_size)
        with torch.no_grad():
            logits = model(ids).logits
        tensors[f"{name}.input_ids"], tensors[f"{name}.logits"] = ids, logits[..., ::step].contiguous()
        largest = logits.abs().max()
        tensors[f"{name}.largest"] = largest.reshape(1)
        metadata[name] = json.dumps(settings)
        metadata[f"{name}.step"] = str(step)
        metadata[f"{name}.parameters"] = str(sum(p.numel() for p in model.parameters()))
    return tensors, metadata


def choices() -> dict:
    scores = torch.from_numpy(deterministic.uniform("choice", (1, 24))) * 6
    scores[0, 5] = scores[0, 11] = scores.max() - 0.5  # two that are as likely
    result = {"choice.scores": scores}
    for k in (1, 2, 3, 7):
        result[f"choice.top_k {k}"] = TopKLogitsWarper(k)(None, scores).softmax(1)
    for p in (0.1, 0.5, 0.9):
        result[f"choice.top_p {p}"] = TopPLogitsWarper(p)(None, scores).softmax(1)
        kept = TopKLogitsWarper(5)(None, scores / 0.7)
        result[f"choice.both {p}"] = TopPLogitsWarper(p)(None, kept).softmax(1)
    return result


def vocabulary(folder: str) -> None:
    learned = ByteLevelBPETokenizer()
    learned.train_from_iterator([TEXT], vocab_size=256 + 1 + 230, min_frequency=2, special_tokens=[END], show_progress=False)
    learned.save_model(folder)
    reference = GPT2Tokenizer.from_pretrained(folder)
    rows = [{"text": text, "tokens": reference.encode(text), "decoded": reference.decode(reference.encode(text))} for text in TEXTS]
    # Pieces of characters, decoded on their own.
    pieces = [[reference.encode("🙂")[0]], reference.encode("🙂")[1:], reference.encode("é漢")[:3]]
    rows += [{"text": None, "tokens": piece, "decoded": reference.decode(piece)} for piece in pieces]
    with open(os.path.join(folder, "tokens.json"), "w") as file:
        json.dump(rows, file, indent=0)


def check(program: str) -> None:
    model = GPT2LMHeadModel(GPT2Config()).eval()
    fill(model)
    ids = tokens(64, model.config.vocab_size)
    with torch.no_grad():
        expected = model(ids).logits.numpy()
    with tempfile.TemporaryDirectory() as folder:
        weights, inputs, outputs = (os.path.join(folder, name) for name in ("model.safetensors", "x.npy", "y.npz"))
        save_file({f"transformer.{k}": v.clone().contiguous() for k, v in model.transformer.named_parameters()}, weights)
        np.save(inputs, ids.numpy())
        subprocess.run([program, "run", "gpt2", "--weights", weights, "--input", inputs, "--output", outputs], check=True)
        found = np.load(outputs)["logits"]
    print(f"largest difference {np.abs(found - expected).max() / np.abs(expected).max():.2e} of the largest logit")


def tensorflow(path: str) -> None:
    import h5py

    model = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_positions=8, n_embd=8, n_layer=2, n_head=2)).eval()
    fill(model)
    with h5py.File(path, "w") as file:
        for name, parameter in model.transformer.named_parameters():
            parts = name.replace("h.", "h", 1).split(".") if name.startswith("h.") else name.split(".")
            values = parameter.detach().numpy()
            if parts[0] in ("wte", "wpe"):
                parts.pop()
            else:
                is_norm = parts[-2].startswith("ln_")
                parts[-1] = "b" if parts[-1] == "bias" else "g" if is_norm else "w"
            # A linear map is a convolution of width 1 there.
            file["/".join(["model", *parts])] = values[None] if parts[-1] == "w" else values


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1] == "tensorflow":
        tensorflow(sys.argv[2])
        return
    if sys.argv[1] == "check":
        check(sys.argv[2])
        return
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    vocabulary(folder)
    tensors, metadata = networks()
    tensors = {name: tensor.clone().contiguous() for name, tensor in {**tensors, **choices()}.items()}
    save_file(tensors, os.path.join(folder, "gpt2.safetensors"), metadata)


if __name__ == "__main__":
    main()
