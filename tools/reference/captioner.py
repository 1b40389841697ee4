"""Show, Attend and Tell as the public PyTorch tutorial has it, in words of our own: same names, same numbers."""

import torch
import torchvision
from torch import nn


class Encoder(nn.Module):
    """A ResNet without its head; features averaged to a square grid, channels last."""

    def __init__(self, body="resnet101", grid=14):
        super().__init__()
        layers = list(getattr(torchvision.models, body)(weights=None).children())
        self.resnet = nn.Sequential(*layers[:-2])
        self.adaptive_pool = nn.AdaptiveAvgPool2d((grid, grid))

    def forward(self, image):
        return self.adaptive_pool(self.resnet(image)).permute(0, 2, 3, 1)


class Attention(nn.Module):
    def __init__(self, features, hidden, width):
        super().__init__()
        self.encoder_att = nn.Linear(features, width)
        self.decoder_att = nn.Linear(hidden, width)
        self.full_att = nn.Linear(width, 1)
        self.relu = nn.ReLU()
        self.softmax = nn.Softmax(dim=1)

    def forward(self, places, hidden):
        scores = self.full_att(self.relu(self.encoder_att(places) + self.decoder_att(hidden)[:, None]))
        alpha = self.softmax(scores.squeeze(2))
        return (places * alpha[..., None]).sum(1), alpha


class DecoderWithAttention(nn.Module):
    def __init__(self, vocabulary, attention=512, embedding=512, width=512, features=2048, dropout=0.5):
        super().__init__()
        self.attention = Attention(features, width, attention)
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.dropout = nn.Dropout(dropout)
        self.decode_step = nn.LSTMCell(embedding + features, width)
        self.init_h = nn.Linear(features, width)
        self.init_c = nn.Linear(features, width)
        self.f_beta = nn.Linear(width, features)
        self.sigmoid = nn.Sigmoid()
        self.fc = nn.Linear(width, vocabulary)

    def begin(self, places):
        mean = places.mean(1)
        return self.init_h(mean), self.init_c(mean)

    def step(self, words, places, h, c):
        context, alpha = self.attention(places, h)
        context = self.sigmoid(self.f_beta(h)) * context
        h, c = self.decode_step(torch.cat([self.embedding(words), context], 1), (h, c))
        return self.fc(self.dropout(h)), alpha, h, c

    def forward(self, features, captions, lengths):
        """Rows stay in their order; steps that a caption does not have are zeros."""
        places = features.flatten(1, 2)
        h, c = self.begin(places)
        predictions, alphas = [], []
        for step in range(captions.shape[1] - 1):
            logits, alpha, h, c = self.step(captions[:, step], places, h, c)
            inside = (lengths - 1 > step)[:, None]
            predictions.append(torch.where(inside, logits, 0.0))
            alphas.append(torch.where(inside, alpha, 0.0))
        return torch.stack(predictions, 1), torch.stack(alphas, 1)


@torch.no_grad()
def beam_search(decoder, features, start, end, width, longest=50):
    """The words of the best caption and the sum of their log p, as the tutorial's caption.py finds it."""
    k = width
    places = features.flatten(1, 2).expand(k, -1, -1)
    h, c = decoder.begin(places)
    words = torch.full((k,), start)
    sequences = torch.empty((k, 0), dtype=torch.long)
    sums = torch.zeros(k)
    complete = []
    for step in range(longest):
        logits, _, h, c = decoder.step(words, places[: len(words)], h, c)
        scores = sums[:, None] + logits.log_softmax(1)
        # At first all rows are the same.
        flat = scores[0] if step == 0 else scores.flatten()
        sums, places_of_best = flat.topk(k)
        rows, words = places_of_best // logits.shape[1], places_of_best % logits.shape[1]
        sequences = torch.cat([sequences[rows], words[:, None]], 1)
        ended = words == end
        complete += [(float(s), q.tolist()) for s, q in zip(sums[ended], sequences[ended])]
        k -= int(ended.sum())
        if k == 0:
            break
        kept = ~ended
        sequences, sums, words = sequences[kept], sums[kept], words[kept]
        h, c = h[rows[kept]], c[rows[kept]]
    best = max(complete) if complete else (float(sums.max()), sequences[sums.argmax()].tolist())
    return best[1], best[0]
