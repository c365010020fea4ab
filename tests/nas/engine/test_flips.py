"""Images whose left and right differ: signs with arrows, of which mirrored ones are other classes."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

import nas
import trainers
from trainers import Recipe, load, seeded, train

SIGNS = ("turn", "keep", "bend", "exit", "merge", "curve")  # each to the left and to the right
SIDE = 24
PATHS = {  # of each sign to the right, in a square from 0 to 1
    "turn": ((0.3, 0.8), (0.3, 0.4), (0.7, 0.4)),
    "keep": ((0.3, 0.3), (0.7, 0.7)),
    "bend": ((0.3, 0.8), (0.5, 0.6), (0.5, 0.3), (0.7, 0.3)),
    "exit": ((0.35, 0.8), (0.35, 0.2), (0.35, 0.5), (0.7, 0.3)),
    "merge": ((0.6, 0.8), (0.6, 0.2), (0.6, 0.5), (0.3, 0.75)),
    "curve": ((0.5, 0.85), (0.35, 0.6), (0.4, 0.35), (0.75, 0.25)),
}


def sign(name: str, mirrored: bool, rng: np.random.Generator) -> Image.Image:
    """A sign of one colour on a plain ground, shifted, with noise."""
    ground, ink = rng.integers(0, 256, (2, 3))
    picture = Image.new("RGB", (SIDE, SIDE), tuple(ground.tolist()))
    shift, scale = rng.uniform(-0.1, 0.1, 2), rng.uniform(0.8, 1.1)
    points = (np.array(PATHS[name]) - 0.5) * scale + 0.5 + shift
    if mirrored:
        points[:, 0] = 1 - points[:, 0]
    ImageDraw.Draw(picture).line([tuple(p) for p in points * SIDE], tuple(ink.tolist()), width=2)
    noise = rng.normal(0, 25, (SIDE, SIDE, 3))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def signs(folder, count):
    """A folder of `count` images of each of 12 classes."""
    rng = np.random.default_rng(0)
    for name in SIGNS:
        for mirrored, side in ((False, "right"), (True, "left")):
            its = folder / f"{name}_{side}"
            its.mkdir(parents=True)
            for number in range(count):
                sign(name, mirrored, rng).save(its / f"{number}.png")
    return folder


def test_signs_are_learnt_without_flips_by_default(tmp_path):
    folder = signs(tmp_path / "signs", 5)
    found = {}
    for flip in (None, False, True):
        run = nas.search(
            data=folder,
            space="nasbench201:channels=2,cells=1",
            flip=flip,
            trials=1,
            epochs=2,
            out=tmp_path / f"{flip}",
        )
        found[flip] = [t.curve[-1]["train_loss"] for t in run.trials]
        assert run.header.flips == bool(flip)
        assert any(note.startswith("flips ") for note in run.header.data["notes"])
    assert found[None] == found[False]
    assert found[True] != found[False]


def net():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 12),
    )


@pytest.mark.long
def test_flips_lose_what_tells_left_from_right(tmp_path):
    """On 12 classes of arrows, flips cost accuracy for each of three seeds; the default has none."""
    folder = signs(tmp_path / "signs", 150)
    accuracies = {}
    for flippable in (None, False, True):
        data = load(folder, flippable=flippable)
        for seed in range(3):
            with seeded(seed):
                network = net()
            for _ in train(network, data, Recipe(epochs=15), seed=seed):
                pass
            accuracy = trainers.accuracy(network, data.test, data)
            print(f"flippable {flippable}, seed {seed}: {accuracy:.1%}")  # noqa: T201
            accuracies[flippable, seed] = accuracy
    for seed in range(3):
        assert accuracies[None, seed] == accuracies[False, seed]
        assert accuracies[True, seed] < accuracies[False, seed] - 0.1
    assert torch.tensor([accuracies[None, seed] for seed in range(3)]).mean() > 0.7
