"""The variational autoencoder of PyTorch's examples: names and loss are theirs."""

import torch
from torch import nn
from torch.nn import functional


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, image):
        hidden = functional.relu(self.fc1(image))
        return self.fc21(hidden), self.fc22(hidden)

    def decode(self, z):
        return torch.sigmoid(self.fc4(functional.relu(self.fc3(z))))

    def forward(self, image, noise):
        mean, log_variance = self.encode(image)
        return self.decode(mean + torch.exp(0.5 * log_variance) * noise), mean, log_variance


def loss(reconstruction, image, mean, log_variance) -> tuple:
    """Cross-entropy and divergence, summed over a picture and averaged over the batch."""
    entropy = functional.binary_cross_entropy(reconstruction, image, reduction="sum")
    divergence = -0.5 * torch.sum(1 + log_variance - mean**2 - log_variance.exp())
    return entropy / len(image), divergence / len(image)
