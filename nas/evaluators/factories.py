"""Evaluators from plain data, as a `Blueprint` names them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.evaluators.blueprint import Blueprint
from nas.runs.settings import Settings
from search_spaces import SearchSpace

if TYPE_CHECKING:
    from nas.evaluators.training import Training
    from trainers import Dataset

# torch is imported late: a worker that looks scores up does not need it.


def training_blueprint(settings: Settings, checkpoints: Path, device: str) -> Blueprint:
    """The blueprint of the evaluator that `training` makes, for other processes.

    Args:
        settings: Settings of the search.
        checkpoints: The folder for weights.
        device: "cuda" for all GPUs in turn, or one device.
    """
    arguments = {
        "settings": settings.to_dict(),
        "checkpoints": str(checkpoints.absolute()),
        "device": device,
    }
    return Blueprint("nas.evaluators.factories:training_from", arguments)


def training(settings: Settings, space: SearchSpace, data: Dataset, checkpoints: Path) -> Training:
    """The evaluator of a search in this process: brief training by the recipe of the settings."""
    from nas.evaluators.training import Training

    return Training(space, data, fixed=settings.recipe, seed=settings.seed, checkpoints=checkpoints)


def training_from(
    *, slot: int, settings: Mapping[str, Any], checkpoints: str, device: str
) -> Training:
    """The evaluator of a search in a worker process; reads the data."""
    import trainers
    from nas.evaluators.training import load_data

    chosen = Settings.from_dict(settings)
    trainers.set_threads(chosen.threads)
    data = load_data(
        chosen.data,
        seed=chosen.data_seed,
        image_size=chosen.image_size,
        device=_device_of(slot, device),
    )
    return training(chosen, chosen.load_space(), data, Path(checkpoints))


def _device_of(slot: int, device: str) -> str:
    """The device of a worker: GPUs are shared out in turn, unless one is named."""
    if device == "cuda":
        import torch

        return f"cuda:{slot % torch.cuda.device_count()}"
    return device
