"""Training of networks: data, augmentation, recipes, the training loop, checkpoints.

Knows no architecture and no search. Names are imported when they are first used, so `import
trainers` is quick and does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainers.data.dataset import Dataset as Dataset
    from trainers.data.dataset import Split as Split
    from trainers.data.folds import folds as folds
    from trainers.data.load import data_sets as data_sets
    from trainers.data.load import from_objects as from_objects
    from trainers.data.load import load as load
    from trainers.data.targets import Targets as Targets
    from trainers.data.transforms import augment as augment
    from trainers.data.transforms import normalise as normalise
    from trainers.data.understood import understood as understood
    from trainers.determinism import derive_seed as derive_seed
    from trainers.determinism import seeded as seeded
    from trainers.determinism import set_threads as set_threads
    from trainers.devices import resolve as resolve
    from trainers.loop.train import Diverged as Diverged
    from trainers.loop.train import Epoch as Epoch
    from trainers.loop.train import accuracy as accuracy
    from trainers.loop.train import evaluate as evaluate
    from trainers.loop.train import evaluate_folds as evaluate_folds
    from trainers.loop.train import train as train
    from trainers.recipes.optimizers import Optimizer as Optimizer
    from trainers.recipes.optimizers import make_optimizer as make_optimizer
    from trainers.recipes.recipe import Recipe as Recipe
    from trainers.tasks import Task as Task
    from trainers.tasks.classification import Classification as Classification

MODULE_OF = {
    "Classification": "tasks.classification",
    "Dataset": "data.dataset",
    "Diverged": "loop.train",
    "Epoch": "loop.train",
    "Optimizer": "recipes.optimizers",
    "Recipe": "recipes.recipe",
    "Split": "data.dataset",
    "Targets": "data.targets",
    "Task": "tasks",
    "accuracy": "loop.train",
    "augment": "data.transforms",
    "data_sets": "data.load",
    "derive_seed": "determinism",
    "evaluate": "loop.train",
    "evaluate_folds": "loop.train",
    "folds": "data.folds",
    "from_objects": "data.load",
    "load": "data.load",
    "make_optimizer": "recipes.optimizers",
    "normalise": "data.transforms",
    "resolve": "devices",
    "seeded": "determinism",
    "set_threads": "determinism",
    "train": "loop.train",
    "understood": "data.understood",
}


def __getattr__(name: str) -> object:
    """Import `name` from the module that has it (PEP 562)."""
    if name not in MODULE_OF:
        raise AttributeError(f"module 'trainers' has no attribute {name!r}")
    return getattr(import_module(f"trainers.{MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULE_OF})
