"""Parts of a second call, on real images: rank correlation, and a network trained to the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import perf_counter

from torch import nn

import trainers
from gpu_parts.trial import Trial

SCRIPTS = Path(__file__).parent.parent


def ranking(trial: Trial) -> None:
    """`brief_ranking.py`: Spearman correlation of brief training with published accuracy.

    Wanted: at least 0.80 with 60 cells, 25,000 images of CIFAR-10 and 4 epochs.
    """
    if not (trial.table and trial.data):
        raise ValueError("ranking: want --table and --data, got none")
    cells, epochs = (3, 1) if trial.tiny else (60, 4)
    options = {
        "--table": trial.table,
        "--data": trial.data,
        "--device": trial.device,
        "--out": str(trial.file.with_suffix(".jsonl")),
        "--recipe": "batch_size=256",
        "--cells": str(cells),
        "--epochs": str(epochs),
        **({} if trial.tiny else {"--channels": "16", "--stacked": "5"}),
    }
    words = [word for pair in options.items() for word in pair]
    start = perf_counter()
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "brief_ranking.py"), *words], capture_output=True, text=True
    )
    seconds = perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"brief_ranking.py: {done.stderr[-2000:]}")
    trial.put("printed", done.stdout[-3000:].splitlines())
    trial.put("candidates an hour", 3600 * cells / seconds)


def accuracy(trial: Trial) -> None:
    """A ResNet-like network on real images, to its test accuracy; wanted on CIFAR-10: 94 %."""
    data = trainers.load(trial.npz(400)).to(trial.torch_device)
    recipe = trainers.Recipe(epochs=1 if trial.tiny else 30, batch_size=64 if trial.tiny else 512)
    with trainers.seeded(0):
        net = residual_network(8 if trial.tiny else 64, len(data.classes))
    start = perf_counter()
    for epoch in trainers.train(net.to(data.device), data, recipe, seed=0):
        trial.put(f"epoch {epoch.number}", [perf_counter() - start, epoch.accuracy])
    trial.put("test accuracy", trainers.accuracy(net, data.test, data))


class Residual(nn.Module):
    """A block of two convolutions, added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *convolution(channels, channels), *convolution(channels, channels)
        )

    def forward(self, x):
        return x + self.layers(x)


def convolution(inputs: int, outputs: int) -> list[nn.Module]:
    """A 3×3 convolution, batch normalisation and ReLU."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def residual_network(width: int, classes: int) -> nn.Module:
    """ResNet-9, after Page, "How to Train Your ResNet", 2018."""
    layers = convolution(3, width)
    layers += [*convolution(width, 2 * width), nn.MaxPool2d(2), Residual(2 * width)]
    layers += [*convolution(2 * width, 4 * width), nn.MaxPool2d(2)]
    layers += [*convolution(4 * width, 4 * width), nn.MaxPool2d(2), Residual(4 * width)]
    return nn.Sequential(
        *layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4 * width, classes)
    )
