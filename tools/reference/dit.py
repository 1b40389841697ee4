"""The diffusion transformer (Peebles & Xie 2023, arXiv:2212.09748) under its authors' names, written from the paper."""

import math

import torch
from torch import nn
from torch.nn import functional


def modulate(x, shift, scale):
    return x * (1 + scale[:, None]) + shift[:, None]


class Embedder(nn.Module):
    """Steps to their embedding: cosines and sines of 256 frequencies, two linear maps."""

    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, steps):
        frequencies = torch.exp(-math.log(10000) * torch.arange(128, dtype=torch.float32) / 128)
        phases = steps[:, None].float() * frequencies
        return self.mlp(torch.cat([phases.cos(), phases.sin()], dim=1))


class Table(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)

    def forward(self, labels):
        return self.embedding_table(labels)


class Patches(nn.Module):
    def __init__(self, channels, width, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d))


class Perceptron(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn, self.mlp = Attention(width, heads), Perceptron(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x, c):
        parts = self.adaLN_modulation(c).chunk(6, dim=1)
        norm = lambda x: functional.layer_norm(x, x.shape[-1:], eps=1e-6)
        x = x + parts[2][:, None] * self.attn(modulate(norm(x), parts[0], parts[1]))
        return x + parts[5][:, None] * self.mlp(modulate(norm(x), parts[3], parts[4]))


class Final(nn.Module):
    def __init__(self, width, outputs):
        super().__init__()
        self.linear = nn.Linear(width, outputs)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x, c):
        shift, scale = self.adaLN_modulation(c).chunk(2, dim=1)
        return self.linear(modulate(functional.layer_norm(x, x.shape[-1:], eps=1e-6), shift, scale))


def positions(width: int, grid: int) -> torch.Tensor:
    """1×T×D: half the width from a token's column, half from its row."""
    place = torch.arange(grid, dtype=torch.float64)
    waves = place[:, None] * 10000 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    line = torch.cat([waves.sin(), waves.cos()], dim=1)  # G×D/2
    columns, rows = line[None].expand(grid, -1, -1), line[:, None].expand(-1, grid, -1)
    return torch.cat([columns, rows], dim=2).reshape(1, grid * grid, width).float()


class DiT(nn.Module):
    def __init__(self, input_size=32, patch_size=2, in_channels=4, hidden_size=1152, depth=28, num_heads=16,
                 num_classes=1000, learn_sigma=True):
        super().__init__()
        self.grid, self.patch, self.outputs = input_size // patch_size, patch_size, in_channels * (2 if learn_sigma else 1)
        self.x_embedder = Patches(in_channels, hidden_size, patch_size)
        self.t_embedder, self.y_embedder = Embedder(hidden_size), Table(num_classes, hidden_size)
        self.blocks = nn.ModuleList([Block(hidden_size, num_heads) for _ in range(depth)])
        self.final_layer = Final(hidden_size, patch_size * patch_size * self.outputs)
        self.where = positions(hidden_size, self.grid)

    def forward(self, x, t, y):
        tokens, c = self.x_embedder(x) + self.where, self.t_embedder(t) + self.y_embedder(y)
        for block in self.blocks:
            tokens = block(tokens, c)
        g, p = self.grid, self.patch
        patches = self.final_layer(tokens, c).reshape(-1, g, g, p, p, self.outputs)
        return patches.permute(0, 5, 1, 3, 2, 4).reshape(-1, self.outputs, g * p, g * p)
