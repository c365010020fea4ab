"""Two small spaces: one whose choices are worth something, one whose trainings diverge."""

from math import prod

import torch
from torch import nn

from search_spaces import Choice, Integer, SearchSpace, Struct
from search_spaces.cost.walk import Walk

SOURCE = "tests/nas/explained.py:space"
FRAGILE = "tests/nas/explained.py:fragile"


class Blind(nn.Module):
    """Sees nothing: whatever comes after it can only guess."""

    def forward(self, x):
        return 0 * x


def build(architecture, task):
    pixels = task.input_shape[0] * task.input_shape[1] * task.input_shape[2]
    sight = Blind() if architecture["sight"] == "none" else nn.Identity()
    layers, width = [nn.Flatten(), sight], pixels
    for _ in range(architecture["depth"]):
        layers += [nn.Linear(width, architecture["width"]), nn.ReLU()]
        width = architecture["width"]
    return nn.Sequential(*layers, nn.Linear(width, task.outputs))


def count(architecture, task):
    walk = Walk(task.input_shape)
    x = walk.reshape(walk.input, (prod(task.input_shape),))
    if architecture["sight"] == "none":
        x = walk.pointwise(x)
    for _ in range(architecture["depth"]):
        x = walk.pointwise(walk.linear(x, architecture["width"]))
    walk.linear(x, task.outputs)
    return walk.cost()


space = SearchSpace(
    name="explained",
    tree=Struct(
        sight=Choice("full", "whole", "none"), depth=Integer(1, 3), width=Choice(8, 16, 32)
    ),
    build=build,
    count=count,
    canonical_form=lambda a: (a["sight"] == "none", a["depth"], a["width"]),  # full is whole
)


class Nerve(nn.Module):
    """Lets everything through, but for a share of all seeds multiplies it until it overflows."""

    def __init__(self, share):
        super().__init__()
        self.share = share
        self.register_buffer("factor", torch.where(torch.rand(1) < share, 1e38, 1.0))

    def forward(self, x):
        return x * self.factor * self.factor


def build_fragile(architecture, task):
    pixels = task.input_shape[0] * task.input_shape[1] * task.input_shape[2]
    share = {"calm": 0.0, "weak": 0.5, "broken": 2.0}[architecture["nerve"]]
    width = architecture["width"]
    return nn.Sequential(
        nn.Flatten(),
        Nerve(share),
        nn.Linear(pixels, width),
        nn.ReLU(),
        nn.Linear(width, task.outputs),
    )


def count_fragile(architecture, task):
    walk = Walk(task.input_shape)
    x = walk.reshape(walk.input, (prod(task.input_shape),))
    x = walk.linear(walk.pointwise(walk.pointwise(x)), architecture["width"])
    walk.linear(walk.pointwise(x), task.outputs)
    return walk.cost()


fragile = SearchSpace(
    name="fragile",
    tree=Struct(nerve=Choice("calm", "weak", "broken"), width=Integer(4, 64, step=4)),
    build=build_fragile,
    count=count_fragile,
)
