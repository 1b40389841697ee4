"""A training step of a language model in PyTorch, written plainly: an LSTM that carries its state, and a transformer like GPT-2."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

VOCABULARY = 10_000
LONGEST_GRADIENT = 5


class Recurrent(nn.Module):
    """Zaremba et al.'s medium model without dropout."""

    def __init__(self, width: int = 650, layers: int = 2):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)
        self.fc = nn.Linear(width, VOCABULARY)

    def forward(self, tokens, state):
        features, state = self.lstm(self.embedding(tokens), state)
        return self.fc(features), tuple(part.detach() for part in state)


class Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(width, 3 * width), "c_proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x):
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.attn.c_attn(self.ln_1(x)).chunk(3, 2))
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.attn.c_proj(seen.transpose(1, 2).flatten(2))
        return x + self.mlp.c_proj(functional.gelu(self.mlp.c_fc(self.ln_2(x)), approximate="tanh"))


class Transformer(nn.Module):
    """GPT-2's layers without dropout, the table of tokens compared with at the end too."""

    def __init__(self, width: int = 512, layers: int = 6, heads: int = 8, places: int = 1024):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, width), nn.Embedding(places, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, tokens, state):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return functional.linear(self.ln_f(x), self.wte.weight), None


MAKERS = {"charrnn": Recurrent, "gpt2": Transformer}


def published(state: dict) -> dict:
    """The same under the layout of GPT-2's files, whose blocks' matrices are in×out; and the other way round."""
    return {name: tensor.T.contiguous() if ".c_" in name and tensor.ndim == 2 else tensor for name, tensor in state.items()}


def inputs(item) -> dict:
    """N×(T+1): the first T are read, the last T are to be guessed."""
    count = item.batch * (item.tokens + 1)
    name = "tokens" if item.model == "charrnn" else "input_ids"
    return {name: np.arange(count, dtype=np.int64).reshape(item.batch, -1) * 7919 % VOCABULARY}


def step(model, tokens, item):
    """A function that takes one step and gives the loss before it."""
    read, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    carries = item.model == "charrnn"
    model.train()
    parameters = list(model.parameters())
    # One kernel for all parameters is PyTorch's fastest.
    if carries:
        optimizer = torch.optim.SGD(parameters, lr=item.learning_rate, fused=True)
    else:
        optimizer = torch.optim.AdamW(parameters, lr=item.learning_rate, weight_decay=0.01, fused=True)
    state = None

    def take() -> float:
        nonlocal state
        logits, state = model(read, state)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if carries:
            nn.utils.clip_grad_norm_(parameters, LONGEST_GRADIENT)
        optimizer.step()
        return loss.item()

    return take


def make(item) -> nn.Module:
    return MAKERS[item.model]()
