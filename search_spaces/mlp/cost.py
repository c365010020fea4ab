"""Cost of multilayer perceptrons in closed form."""

from __future__ import annotations

from math import prod

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost, Symbol, Walk
from search_spaces.task import Task
from search_spaces.tree.values import Record


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network of an architecture."""
    walk = Walk(task.input_shape)
    x = walk.reshape(walk.input, (prod(task.input_shape),))
    hidden = architecture["hidden"]

    def activated(x: Symbol) -> Symbol:
        return walk.pointwise(x if architecture["norm"] == "none" else walk.norm(x))

    if isinstance(hidden, Record):
        width, inside = hidden["width"], hidden["expansion"] * hidden["width"]
        x = walk.linear(x, width)
        for _ in range(hidden["depth"]):
            y = x if architecture["norm"] == "none" else walk.norm(x)
            y = walk.linear(walk.pointwise(walk.linear(y, inside)), width)
            x = walk.pointwise(x, y)
        x = activated(x)
    else:
        for width in hidden:
            x = activated(walk.linear(x, width))
    walk.linear(x, task.outputs)
    return walk.cost()
