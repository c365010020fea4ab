"""The hyperparameters of the built-in training that can be searched, as a tree of decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces import Choice, Node, Real, Record, Struct

# Ranges for brief training. Hyperparameters of one optimiser are in OPTIMIZERS.
TUNABLE: dict[str, Node] = {
    "batch_size": Choice(16, 32, 64, 128, 256),
    "weight_decay": Real(1e-6, 1e-2, log=True),
    "label_smoothing": Real(0.0, 0.2),
    "augmentation": Real(0.0, 1.0),
    "dropout": Real(0.0, 0.5),
}
OPTIMIZERS: dict[str, dict[str, Node]] = {
    "sgd": {"learning_rate": Real(0.01, 1.0, log=True), "momentum": Real(0.8, 0.98)},
    "adamw": {"learning_rate": Real(0.0005, 0.05, log=True)},
}
NAMES = ("learning_rate", "momentum", "optimizer", *TUNABLE)


def parse_names(text: str) -> tuple[str, ...]:
    """Read `all`, or names separated by commas; return them in the order of `NAMES`.

    Raises:
        ValueError: a name is not that of a searchable hyperparameter.
    """
    if not text:
        return ()
    if text == "all":
        return NAMES
    names = [name.strip().replace("-", "_") for name in text.split(",")]
    for name in names:
        if name not in NAMES:
            raise ValueError(f"tune: want all, or some of {', '.join(NAMES)}, got {name!r}")
    return tuple(name for name in NAMES if name in names)


def tree(names: Sequence[str], fixed: Mapping[str, Any]) -> Struct:
    """The tree of the hyperparameters `names`, where the recipe fixes the fields in `fixed`.

    If the optimiser is searched, its own settings depend on it: momentum exists only under sgd.

    Raises:
        ValueError: a name is both tuned and fixed, or the fixed optimiser has no such setting.
    """
    for name in names:
        if name in fixed:
            raise ValueError(
                f"tune: {name} is fixed to {fixed[name]}: leave that out, or name the others to tune"
            )
    fields: dict[str, Node] = {name: TUNABLE[name] for name in names if name in TUNABLE}
    if "optimizer" in names:
        options = (
            Struct(
                name=Choice(optimizer),
                **{name: node for name, node in settings.items() if name in names},
            )
            for optimizer, settings in OPTIMIZERS.items()
        )
        return Struct(optimizer=Choice(*options), **fields)
    optimizer = fixed.get("optimizer", "sgd")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer: want {' or '.join(OPTIMIZERS)}, got {optimizer!r}")
    own = OPTIMIZERS[optimizer]
    if "momentum" in names and "momentum" not in own:
        raise ValueError(f"tune: momentum is not searched for {optimizer}; it is for sgd")
    return Struct(**{name: own[name] for name in names if name in own}, **fields)


def recipe_fields(hyperparameters: Record) -> dict[str, Any]:
    """The fields of a recipe given by a value of the tree."""
    fields = dict(hyperparameters)
    optimizer = fields.pop("optimizer", None)
    if optimizer is not None:
        fields |= {"optimizer" if k == "name" else k: v for k, v in optimizer.items()}
    return fields
