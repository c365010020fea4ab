"""The default recipe by the data that it is for."""

from typing import Any

STEPS = 2_000  # of a training on vectors
BATCH = 64


def recipe_for(rows: int, kind: str) -> dict[str, Any]:
    """Fields of the recipe that differ from the defaults of `Recipe`.

    Args:
        rows: Number of examples for training.
        kind: "vectors", "sequences" or "images".
    """
    if kind != "vectors":
        return {}
    epochs = max(5, min(60, STEPS * BATCH // max(1, rows)))
    return {"optimizer": "adamw", "learning_rate": 0.01, "schedule": "cosine", "epochs": epochs}
