"""Writes what Show, Attend and Tell must reproduce.

    python captioner_fixtures.py Tests/AviaryZooTests/Fixtures/captioner.safetensors

Full size: ResNet-101, 9490 words. Weights and pictures are those of deterministic.py; those of the last layer and of the words' vectors are
larger, so that words differ. `picture.*`: a picture of 256×256; `features` at every seventh row and column and every 64th channel. `taught.*`: two captions
of different lengths for random features; every 37th word's logits. `beam1`, `beam5`: the captions found for the first of these
features, which come to no end; `ended5`: with another word for the end. `scores`: the sums of log p of the three.
"""

import sys

import numpy as np
import torch
from safetensors.numpy import save_file

import captioner
import deterministic

FACTORS = {"decoder.fc.weight": 12, "decoder.embedding.weight": 8, "decoder.attention.full_att.weight": 2}
CAPTIONS = [[9488, 5, 310, 77, 4021, 9489], [9488, 12, 9000, 9489, 0, 0]]
LENGTHS = [6, 4]
# Beyond that, the last digits of float32 decide what is said.
LONGEST = 16
END = 6766


class Captioner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = captioner.Encoder()
        self.decoder = captioner.DecoderWithAttention(9490)


def filled():
    network = Captioner()
    network.load_state_dict({
        name: torch.from_numpy(np.asarray(
            deterministic.torch_tensor(name, tuple(tensor.shape)) * np.float32(FACTORS.get(name, 1))))
        for name, tensor in network.state_dict().items()})
    return network.eval()


@torch.no_grad()
def main(path):
    network = filled()
    result = {}
    image = torch.from_numpy(deterministic.image(shape=(1, 3, 256, 256)))
    features = network.encoder(image)
    result["picture.features"] = features[:, ::7, ::7, ::64]
    given = torch.from_numpy(deterministic.image(shape=(2, 14, 14, 2048))).abs()
    scores = []
    for name, width, end in [("beam1", 1, 9489), ("beam5", 5, 9489), ("ended5", 5, END)]:
        words, score = captioner.beam_search(network.decoder, given[:1], 9488, end, width, LONGEST)
        result[name] = torch.tensor(words)
        scores.append(score)
        print(name, words, score)
    result["scores"] = torch.tensor(scores)
    predictions, alphas = network.decoder(given, torch.tensor(CAPTIONS), torch.tensor(LENGTHS))
    result["taught.predictions"], result["taught.alphas"] = predictions[..., ::37], alphas
    print(alphas.max(), alphas.min(), predictions.std())
    result["counts"] = torch.tensor([
        len([n for n in network.state_dict() if "num_batches" not in n]), sum(p.numel() for p in network.parameters())])
    save_file({name: tensor.contiguous().numpy() for name, tensor in result.items()}, path)


main(sys.argv[1])
