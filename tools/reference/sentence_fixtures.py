"""Writes what Show and Tell must reproduce.

    python sentence_fixtures.py Tests/AviaryZooTests/Fixtures/sentences.safetensors

The captioner of yunjey's PyTorch tutorial in words of our own, with ResNet-18 and its other sizes, and the weights and pictures of
deterministic.py; those of the last layer and of the words' vectors are larger, so that words differ. `features`: of a picture of
224×224. `predictions`: the logits of two captions of different lengths, every 37th word. `greedy`: what the likeliest words are,
the picture first and from then on each word, `<start>` in its place.
"""

import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

import classifiers
import deterministic

torchvision = classifiers.import_torchvision()
FACTORS = {"decoder.linear.weight": 12, "decoder.embed.weight": 8}
WORDS, START = 9956, 1
CAPTIONS = torch.tensor([[1, 5, 310, 77, 4021, 2], [1, 12, 9000, 2, 0, 0]])
LENGTHS = torch.tensor([6, 4])


class Encoder(nn.Module):
    def __init__(self, size=256):
        super().__init__()
        body = torchvision.models.resnet18(weights=None)
        self.resnet = nn.Sequential(*list(body.children())[:-1])
        self.linear, self.bn = nn.Linear(body.fc.in_features, size), nn.BatchNorm1d(size, momentum=0.01)

    def forward(self, image):
        return self.bn(self.linear(self.resnet(image).flatten(1)))


class Decoder(nn.Module):
    def __init__(self, words=WORDS, size=256, hidden=512):
        super().__init__()
        self.embed = nn.Embedding(words, size)
        self.lstm = nn.LSTM(size, hidden, 1, batch_first=True)
        self.linear = nn.Linear(hidden, words)

    def forward(self, features, captions, lengths):
        inputs = torch.cat([features[:, None], self.embed(captions)], 1)
        packed = nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        inside = torch.arange(outputs.shape[1])[None, :, None] < lengths[:, None, None]
        return torch.where(inside, self.linear(outputs), 0.0)

    def greedy(self, features, count):
        _, state = self.lstm(features[:, None])
        word, words = torch.tensor([START]), []
        for _ in range(count):
            output, state = self.lstm(self.embed(word)[:, None], state)
            word = self.linear(output[:, 0]).argmax(1)
            words.append(int(word))
        return words


class Captioner(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()


@torch.no_grad()
def main(path):
    network = Captioner().eval()
    network.load_state_dict({
        name: torch.from_numpy(np.asarray(
            deterministic.torch_tensor(name, tuple(tensor.shape)) * np.float32(FACTORS.get(name, 1))))
        for name, tensor in network.state_dict().items()})
    picture = torch.from_numpy(deterministic.image(shape=(1, 3, 224, 224)))
    given = torch.from_numpy(deterministic.image(shape=(2, 256)))
    result = {
        "features": network.encoder(picture), "predictions": network.decoder(given, CAPTIONS, LENGTHS)[..., ::37],
        "greedy": torch.tensor(network.decoder.greedy(given[:1], 12))}
    print(result["greedy"], result["features"].abs().max(), result["predictions"].std())
    save_file({name: np.ascontiguousarray(tensor.numpy()) for name, tensor in result.items()}, path)


main(sys.argv[1])
