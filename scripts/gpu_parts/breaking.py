"""A search space of two networks: a small one, and one that breaks the context of a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from search_spaces import Architecture, Choice, SearchSpace, Struct, Task


def plain(classes: int = 10) -> nn.Module:
    """A small convolutional network."""
    convolution = nn.Conv2d(3, 8, 3, padding=1)
    layers = [convolution, nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(128, classes))


class Broken(nn.Module):
    """A network whose index is out of range, which on a GPU breaks the context."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.net, self.table = plain(classes), nn.Embedding(4, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) + self.table(torch.full((len(x),), 10**6, device=x.device))


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Build one of the two."""
    return (Broken if architecture["broken"] else plain)(task.outputs)


space = SearchSpace(name="breaking", tree=Struct(broken=Choice(False, True)), build=build)
