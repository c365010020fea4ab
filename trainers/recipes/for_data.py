"""The default recipe by the data that it is for."""

from collections.abc import Collection, Mapping
from math import ceil
from types import MappingProxyType
from typing import Any

LEARNING_RATE = 0.01  # of SGD, too: with 0.03 many random networks of `tabular` diverge
STEPS = 2_500  # most of a training on vectors, unless that were under FEWEST_EPOCHS
FEWEST_EPOCHS, MOST_EPOCHS = 10, 40
BATCHES = {2_000: 32, 20_000: 64, 100_000: 128}  # by the number of rows below which it is the size
LARGEST_BATCH = 256
SEQUENCE_RATE, SEQUENCE_DECAY = 0.003, 0.05  # of AdamW
SEQUENCE_STEPS = 250  # least of a training on sequences, within MOST_SEQUENCE_EPOCHS
FEWEST_SEQUENCE_EPOCHS, MOST_SEQUENCE_EPOCHS = 5, 100
SEQUENCE_BATCHES = {1_000: 16, 10_000: 32}
FEW_IMAGES = 640  # ten steps of the usual recipe
STEPS_OF_FEW, MOST_EPOCHS_OF_FEW, BATCH_OF_FEW = 90, 40, 32
MEMORY = 15  # epochs that AdamW's average of its updates reaches back
MOST_DECAY = 0.02  # of vectors, where the task is no regression
DROPOUT, DROPOUT_IN_REGRESSION = 0.15, 0.3  # of vectors
OF_ADAMW = {
    "vectors": ("weight_decay",),
    "sequences": ("learning_rate", "weight_decay"),
    "images": (),
}


def recipe_for(
    rows: int,
    kind: str,
    *,
    task: str = "classification",
    given: Mapping[str, Any] = MappingProxyType({}),
    searched: Collection[str] = (),
) -> dict[str, Any]:
    """Fields of the recipe that differ from the defaults of `Recipe`, but those given or searched.

    Vectors are trained by AdamW, few of them at a time. A regression has much dropout, and a strong
    decay that follows the number of rows: AdamW averages its updates over
    1 / (learning rate * weight decay) steps; the decay is such that these are `MEMORY` epochs, as
    Wang & Aitchison, "How to set AdamW's weight decay as you scale model and dataset size", 2024,
    https://arxiv.org/abs/2405.13698, advise. Other tasks have at most a weak decay. As the L2 penalty
    of SGD a strong one would let networks learn nothing: for SGD, and where the optimiser is
    searched, the decay stays at its default. Chosen by measurement: see docs/figures/training.md.

    Sequences are trained by AdamW too, at a rate and with a decay of their own, which SGD does not have.

    Few sequences, and few images, are trained in small batches and many epochs: in the usual recipe,
    which other images have, 30 of them would make five steps.

    Args:
        rows: Number of examples for training.
        kind: "vectors", "sequences" or "images".
        task: Name of the task.
        given: Fields of the recipe that are given.
        searched: Names of fields that are searched; momentum is searched for SGD alone.
    """
    rows, optimizer = max(1, rows), "sgd" if "momentum" in searched else "adamw"
    if kind == "images":
        found = _for_images(rows)
    elif kind == "vectors":
        found = _for_vectors(rows, optimizer, task)
    else:
        found = _for_sequences(rows, optimizer)
    if "optimizer" in searched or {**found, **given}.get("optimizer") != "adamw":
        for name in OF_ADAMW[kind]:
            del found[name]
    return {name: value for name, value in found.items() if name not in {*given, *searched}}


def _for_vectors(rows: int, optimizer: str, task: str) -> dict[str, Any]:
    batch = next((size for most, size in BATCHES.items() if rows < most), LARGEST_BATCH)
    steps_per_epoch = max(1.0, rows / batch)
    regression = task == "regression"
    most = 1.0 if regression else MOST_DECAY
    decay = min(most, 1 / (LEARNING_RATE * MEMORY * steps_per_epoch))
    return {
        "optimizer": optimizer,
        "learning_rate": LEARNING_RATE,
        "schedule": "cosine",
        "epochs": max(FEWEST_EPOCHS, min(MOST_EPOCHS, int(STEPS / steps_per_epoch))),
        "batch_size": batch,
        "weight_decay": float(f"{decay:.2g}"),
        "dropout": DROPOUT_IN_REGRESSION if regression else DROPOUT,
    }


def _for_sequences(rows: int, optimizer: str) -> dict[str, Any]:
    batch = next((size for most, size in SEQUENCE_BATCHES.items() if rows < most), 64)
    epochs = ceil(SEQUENCE_STEPS / max(1, rows // batch))
    return {
        "optimizer": optimizer,
        "learning_rate": SEQUENCE_RATE,
        "schedule": "cosine",
        "epochs": max(FEWEST_SEQUENCE_EPOCHS, min(MOST_SEQUENCE_EPOCHS, epochs)),
        "batch_size": batch,
        "weight_decay": SEQUENCE_DECAY,
    }


def _for_images(rows: int) -> dict[str, Any]:
    if rows >= FEW_IMAGES:
        return {}
    epochs = ceil(STEPS_OF_FEW / max(1, rows // BATCH_OF_FEW))
    return {"epochs": min(MOST_EPOCHS_OF_FEW, epochs), "batch_size": BATCH_OF_FEW}
