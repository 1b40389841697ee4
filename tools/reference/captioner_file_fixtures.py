"""Writes files as the public PyTorch captioners leave them, small: what they hold is read, and nobody's numbers are in them.

    python captioner_file_fixtures.py Tests/AviaryZooTests/Fixtures/captioner_files

`BEST_checkpoint_small.pth.tar` and `…_legacy.pth.tar`: Show, Attend and Tell as sgrvinod's tutorial saves it, whole modules and their optimisers in a
dictionary, with ResNet-18 and few words. Each tensor is one number, seen through strides of 0; `expected.json` says which.
`WORDMAP_coco_…json`: its words. `vocab.pkl`: a `build_vocab.Vocabulary` as yunjey's tutorial pickles it with Python 3, `vocab2.pkl` the
same as Python 2 does, `words.pkl` the dictionary alone.
"""

import json
import pathlib
import pickle
import sys
import types
import warnings

import classifiers
import torch

classifiers.import_torchvision()
import captioner  # noqa: E402

warnings.simplefilter("ignore")
FOLDER = pathlib.Path(sys.argv[1])
WORDS = ["<pad>", "<start>", "<end>", "<unk>", "a", "'s", "caf\u00e9", "\u00fcber\u20ac", "dog\\", "\U0001f600"]


def module(name, *classes):
    """A module that only pickles know of, with these classes in it."""
    sys.modules[name] = types.ModuleType(name)
    for cls in classes:
        cls.__module__, cls.__qualname__ = name, cls.__name__
        setattr(sys.modules[name], cls.__name__, cls)


def spread(tensor, number):
    return torch.tensor(number, dtype=tensor.dtype).expand(tensor.shape)


def checkpoint():
    module("models", captioner.Encoder, captioner.Attention, captioner.DecoderWithAttention)
    encoder = captioner.Encoder("resnet18")
    decoder = captioner.DecoderWithAttention(len(WORDS), attention=8, embedding=6, width=12, features=512)
    expected = {}
    for prefix, part in (("encoder.", encoder), ("decoder.", decoder)):
        for name, tensor in [*part.named_parameters(), *part.named_buffers()]:
            if tensor.is_floating_point():
                expected[prefix + name] = (len(expected) + 1) / 512
                tensor.data = spread(tensor, expected[prefix + name])
    optimizer = torch.optim.Adam(decoder.parameters(), lr=4e-4)
    for parameter in decoder.parameters():
        optimizer.state[parameter] = {"step": torch.tensor(3.0), "exp_avg": spread(parameter, 0.5)}
    state = {
        "epoch": 8, "epochs_since_improvement": 0, "bleu-4": 0.24, "encoder": encoder, "decoder": decoder,
        "encoder_optimizer": None, "decoder_optimizer": optimizer}
    torch.save(state, FOLDER / "BEST_checkpoint_small.pth.tar")
    # The source text of torch's modules is not ours to keep.
    torch.serialization.get_source_lines_and_file = None
    torch.save(state, FOLDER / "BEST_checkpoint_small_legacy.pth.tar", _use_new_zipfile_serialization=False)
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=0) + "\n")
    words = {word: number for number, word in enumerate(WORDS)}
    (FOLDER / "WORDMAP_coco_5_cap_per_img_5_min_word_freq.json").write_text(json.dumps(words) + "\n")


def vocabularies():
    class Vocabulary:
        def __init__(self):
            self.word2idx = {word: number for number, word in enumerate(WORDS)}
            self.idx2word = dict(enumerate(WORDS))
            self.idx = len(WORDS)

    module("build_vocab", Vocabulary)
    (FOLDER / "vocab.pkl").write_bytes(pickle.dumps(Vocabulary()))
    (FOLDER / "words.pkl").write_bytes(pickle.dumps(Vocabulary().word2idx, protocol=2))
    # Python 2 writes protocol 0: texts that a program had as bytes as source code, others with the escapes of Unicode.
    def word(number):
        text = WORDS[number]
        if text.isascii():
            return "S" + repr(text) + "\n"
        units = text.encode("utf-16-be")
        codes = [int.from_bytes(units[place:place + 2], "big") for place in range(0, len(units), 2)]
        return "V" + "".join(chr(code) if code < 256 else f"\\u{code:04x}" for code in codes) + "\n"

    numbers = range(len(WORDS))
    parts = [
        "ccopy_reg\n_reconstructor\np0\n(cbuild_vocab\nVocabulary\np1\nc__builtin__\nobject\np2\nNtp3\nRp4\n(dp5\n",
        "S'idx'\np6\n", f"I{len(WORDS)}\n", "sS'word2idx'\np7\n(dp8\n", *(f"{word(n)}I{n}\ns" for n in numbers),
        "sS'idx2word'\np9\n(dp10\n", *(f"I{n}\n{word(n)}s" for n in numbers), "sb."]
    data = "".join(parts).encode("latin-1")
    read = pickle.loads(data)
    # Python 3 leaves pairs of surrogates as they are.
    assert [w.encode("utf-16", "surrogatepass").decode("utf-16") for w in read.word2idx] == WORDS and read.idx == len(WORDS)
    (FOLDER / "vocab2.pkl").write_bytes(data)


FOLDER.mkdir(exist_ok=True)
checkpoint()
vocabularies()
