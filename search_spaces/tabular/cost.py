"""Cost of networks for tables in closed form."""

from __future__ import annotations

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost, Symbol, Walk
from search_spaces.task import Task
from search_spaces.tree.values import Record

PBLD_FREQUENCIES, PLR_FREQUENCIES, SIZE = 16, 8, 4  # the defaults of the embeddings
FOURIER_FEATURES = 256


def numeric_columns(task: Task) -> int:
    """Number of numeric columns, which come first."""
    return task.input_shape[0] if task.numeric is None else task.numeric


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network of an architecture."""
    walk = Walk(task.input_shape)
    x, hidden = walk.input, architecture["hidden"]
    if architecture["embedding"] == "fourier":
        x = walk.pointwise(walk.linear(x, FOURIER_FEATURES))
    elif architecture["embedding"] != "none" and (numeric := numeric_columns(task)):
        x = _embedded(walk, x, numeric, architecture["embedding"])
    if architecture["scaling"]:
        walk.parameters(x.channels)
        x = walk.pointwise(x)
    if isinstance(hidden, Record):
        x = (_radial if "kernel" in hidden else _hidden)(walk, x, hidden)
    walk.linear(x, task.outputs)
    return walk.cost()


def _embedded(walk: Walk, x: Symbol, numeric: int, embedding: str) -> Symbol:
    """The numeric columns embedded, then the others."""
    numbers = walk.view(x, (numeric,))
    y = (_plr if embedding == "plr" else _pbld)(walk, numbers)
    return y if x.channels == numeric else walk.concat([y, walk.view(x, (x.channels - numeric,))])


def _pbld(walk: Walk, x: Symbol) -> Symbol:
    waves = walk.copy(x, (x.channels, PBLD_FREQUENCIES))  # times the frequencies
    waves = walk.pointwise(walk.pointwise(waves))  # plus the phases; cosine
    walk.parameters(x.channels * (2 * PBLD_FREQUENCIES + SIZE - 1))
    y = walk.reshape(waves, (x.channels * PBLD_FREQUENCIES, 1))
    y = walk.conv(y, x.channels * (SIZE - 1), 1, groups=x.channels)
    y = walk.concat([walk.pointwise(y), walk.view(x, (x.channels, 1))])  # plus the biases
    return walk.reshape(y, (x.channels * SIZE,))


def _plr(walk: Walk, x: Symbol) -> Symbol:
    angles = walk.copy(x, (x.channels, PLR_FREQUENCIES))
    walk.parameters(x.channels * PLR_FREQUENCIES)
    waves = walk.concat([walk.pointwise(angles), walk.pointwise(angles)])
    y = walk.linear(walk.reshape(waves, (x.channels, 2 * PLR_FREQUENCIES)), SIZE)
    return walk.reshape(walk.pointwise(y), (x.channels * SIZE,))


def _radial(walk: Walk, x: Symbol, hidden: Record) -> Symbol:
    """Similarities to centres."""
    centers = hidden["centers"]
    walk.parameters(1)
    norm = walk.copy(x, (1,))
    norms = walk.zeros((centers,))
    norm, norms = walk.pointwise(norm), walk.pointwise(norms)
    sums = walk.pointwise(norms, norm)
    products = walk.pointwise(walk.linear(x, centers, bias=False))  # twice of them
    squared = walk.pointwise(walk.pointwise(sums, products))  # the difference, not below 0
    if hidden["kernel"] == "gaussian":
        return walk.pointwise(walk.pointwise(squared))
    r = walk.pointwise(walk.pointwise(squared))  # the root, times the scale
    similar = walk.pointwise(walk.pointwise(r))
    return (
        similar if hidden["kernel"] == "exponential" else walk.pointwise(walk.pointwise(r), similar)
    )


def _hidden(walk: Walk, x: Symbol, hidden: Record) -> Symbol:
    width, members = hidden["width"], hidden["members"]

    def normed(x: Symbol) -> Symbol:
        return x if hidden["norm"] == "none" else walk.norm(x, axis=-1)

    if members > 1:
        walk.parameters(members * x.channels)
        x = walk.copy(x, (members, x.channels))
    if hidden["residual"]:
        x = walk.linear(x, width)
        for _ in range(hidden["depth"]):
            y = walk.pointwise(walk.linear(normed(x), 2 * width))
            x = walk.pointwise(x, walk.linear(y, width))
        x = walk.pointwise(normed(x))
    else:
        for _ in range(hidden["depth"]):
            x = walk.pointwise(normed(walk.linear(x, width)))
    return walk.reshape(x, (members * width,))
