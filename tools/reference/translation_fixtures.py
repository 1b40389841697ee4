"""Writes what an encoder and a decoder with additive attention, and without, must reproduce.

    python translation_fixtures.py Tests/AviaryZooTests/Fixtures/translation.safetensors

Made of torch's own recurrences with the weights of deterministic.py. Two texts of 7 and 4 tokens, padded and
packed, and the right tokens before each: `logits` and `attention` of the first kind, `plain.logits` of the second.
"""

import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import deterministic

SOURCE, TARGET, EMBEDDING, WIDTH = 11, 9, 12, 16
TEXTS = torch.tensor([[3, 10, 0, 7, 7, 1, 4], [5, 2, 9, 6, 0, 0, 0]])
LENGTHS = torch.tensor([7, 4])
WORDS = torch.tensor([[0, 4, 8, 2, 5], [0, 3, 3, 6, 1]])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.score = nn.Linear(WIDTH, 1, bias=False)

    def forward(self, state, places, hidden):
        scores = self.score(torch.tanh(self.query(state)[:, None] + self.key(places)))[..., 0]
        return scores.masked_fill(hidden, -torch.inf).softmax(-1)


class Translator(nn.Module):
    def __init__(self, attends):
        super().__init__()
        context = 2 * WIDTH if attends else 0
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.embedding = nn.Embedding(SOURCE, EMBEDDING)
        self.encoder.gru = nn.GRU(EMBEDDING, WIDTH, bidirectional=True, batch_first=True)
        self.decoder.embedding = nn.Embedding(TARGET, EMBEDDING)
        self.decoder.bridge = nn.Linear(2 * WIDTH, WIDTH)
        self.decoder.attention = Attention() if attends else None
        self.decoder.gru = nn.GRUCell(EMBEDDING + context, WIDTH)
        self.decoder.fc = nn.Linear(WIDTH + context + EMBEDDING, TARGET)

    def forward(self):
        packed = pack_padded_sequence(self.encoder.embedding(TEXTS), LENGTHS, batch_first=True)
        outputs, ends = self.encoder.gru(packed)
        places, _ = pad_packed_sequence(outputs, batch_first=True)
        hidden = torch.arange(TEXTS.shape[1])[None] >= LENGTHS[:, None]
        state = torch.tanh(self.decoder.bridge(torch.cat([ends[0], ends[1]], 1)))
        logits, looks = [], []
        for step in range(WORDS.shape[1]):
            parts = [self.decoder.embedding(WORDS[:, step])]
            if self.decoder.attention is not None:
                looks.append(self.decoder.attention(state, places, hidden))
                parts.append((looks[-1][:, None] @ places)[:, 0])
            state = self.decoder.gru(torch.cat(parts, 1), state)
            logits.append(self.decoder.fc(torch.cat([state] + parts[1:] + parts[:1], 1)))
        return torch.stack(logits, 1), torch.stack(looks, 1) if looks else None


@torch.no_grad()
def main(path):
    result = {}
    for attends in (True, False):
        network = Translator(attends).eval()
        network.load_state_dict({
            name: torch.from_numpy(deterministic.torch_tensor(name, tuple(tensor.shape)).reshape(tensor.shape))
            for name, tensor in network.state_dict().items()})
        logits, attention = network()
        result["logits" if attends else "plain.logits"] = logits
        if attends:
            result["attention"] = attention
    print(result["logits"].std(), result["attention"].max(), result["plain.logits"].std())
    save_file({name: np.ascontiguousarray(tensor.numpy()) for name, tensor in result.items()}, path)


main(sys.argv[1])
