"""Configurations for rows of tables that are tried before any search, the most useful first.

A portfolio, as Auto-sklearn 2.0 has one: Feurer et al., JMLR 2022, Section 3.2. The linear model is
first, since nothing may be worse. The others were chosen such that they err differently: kernel
machines from smooth to rough, which are solved for within a second or two; a perceptron with batch
normalisation, RealMLP's embeddings of columns, cosines of random directions, embeddings that tell
near values apart as trees do, and a perceptron without norm.
"""

from __future__ import annotations

from typing import Any

from search_spaces.tabular.space import CENTERS, KERNELS

Member = dict[str, Any]

WIDE_FROM = 10_000  # rows from which layers are twice as wide
MOST_EMBEDDED = 200  # columns, beyond which embeddings take long to train
RATE = 0.01
MOST_SIMILAR = 10_000  # rows, beyond which their similarities to 2,048 of them say little
LINEAR_RATE = 0.03  # of a linear classifier, which is not regularised


def portfolio(rows: int, columns: int, task: str, kind: str) -> tuple[Member, ...]:
    """Architectures and fields of recipes; none where nothing is known of such data.

    Args:
        rows: Number of examples for training.
        columns: Numbers in one row.
        task: Name of the task.
        kind: "vectors", "sequences" or "images".

    Returns:
        Mappings of `architecture`, the notation of a network of the space `tabular`, and `recipe`,
        the fields in which its training may differ from the default for such data
        (`trainers.recipes.for_data`). All members have the same fields.
    """
    if kind != "vectors":
        return ()
    width = 128 if rows < WIDE_FROM else 256
    plain, normed = _hidden(width), _hidden(width, norm="batch")
    linear = _network(None)
    fourier = _network(None, embedding="fourier")
    machines = [_network(hidden) for hidden in _machines(rows)]
    if task == "regression":
        members = [
            _member(linear, RATE, 0.0),
            *(_member(machine, RATE, 0.0) for machine in machines),
            _member(_network(plain), RATE, 0.3),
            _member(_network(plain, embedding="pbld", scaling=True), RATE, 0.4),
            _member(_network(_hidden(width, depth=1)), RATE, 0.5),
            _member(fourier, RATE, 0.3),
            _member(_network(plain, embedding="pbld_fine", scaling=True), RATE, 0.3),
        ]
    else:
        smoothing = 0.1 if task == "classification" else None
        none = None if smoothing is None else 0.0
        members = [
            _member(linear, LINEAR_RATE, 0.0, none),
            *(_member(machine, RATE, 0.0, none) for machine in machines),
            _member(_network(normed), RATE, 0.15, smoothing),
            _member(_network(normed, embedding="pbld", scaling=True), RATE, 0.15, smoothing),
            _member(fourier, RATE, 0.15, smoothing),
            _member(_network(normed, embedding="pbld_fine", scaling=True), RATE, 0.15, smoothing),
            _member(_network(plain), RATE, 0.4, smoothing),
        ]
    if columns > MOST_EMBEDDED:
        members = [member for member in members if not is_embedded(member)]
    return tuple(members)


def is_embedded(member: Member) -> bool:
    """True if a member embeds single columns."""
    return '"pbld' in member["architecture"]


def _hidden(width: int, *, depth: int = 2, norm: str = "none") -> dict[str, int | bool | str]:
    return {
        "depth": depth,
        "width": width,
        "residual": False,
        "activation": "mish",
        "norm": norm,
        "members": 1,
    }


def _machines(rows: int) -> list[dict[str, int | bool | str]]:
    """Similarities to all rows, or to many of them, by each kernel."""
    if rows > MOST_SIMILAR:
        return []
    centers = next((number for number in CENTERS if number >= rows), CENTERS[-1])
    return [{"kernel": kernel, "centers": centers} for kernel in KERNELS]


def _network(
    hidden: dict[str, int | bool | str] | None, *, embedding: str = "none", scaling: bool = False
) -> str:
    """The notation of a network of the space `tabular`."""
    import search_spaces

    value = {"embedding": embedding, "scaling": scaling, "hidden": hidden or "none"}
    return str(search_spaces.get("tabular").architecture(value))


def _member(
    architecture: str, learning_rate: float, dropout: float, label_smoothing: float | None = None
) -> Member:
    recipe = {"learning_rate": learning_rate, "dropout": dropout}
    if label_smoothing is not None:
        recipe["label_smoothing"] = label_smoothing
    return {"architecture": architecture, "recipe": recipe}
