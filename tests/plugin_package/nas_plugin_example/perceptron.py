"""Perceptrons with one hidden layer, for images."""

from math import prod

from search_spaces import Choice, Integer, SearchSpace, Struct


def build(architecture, task):
    """Flatten the image, one hidden layer, logits."""
    from torch import nn

    width = architecture["width"]
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(prod(task.input_shape), width),
        nn.ReLU() if architecture["activation"] == "relu" else nn.Tanh(),
        nn.Linear(width, task.outputs),
    )


def space(most: int = 64):
    """The search space.

    Args:
        most: Greatest width of the hidden layer.
    """
    tree = Struct(width=Integer(2, most), activation=Choice("relu", "tanh"))
    return SearchSpace(
        name="perceptron", tree=tree, build=build, inputs=(3,), settings={"most": most}
    )
