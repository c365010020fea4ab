"""How a network learns: data, augmentation, recipes, the training loop, checkpoints.

Knows no architecture and no search. Names are imported when they are first used, so `import
trainers` is quick and does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainers import checkpoint as checkpoint
    from trainers import memory as memory
    from trainers import pausing as pausing
    from trainers import precision as precision
    from trainers.augment import augment as augment
    from trainers.augment import normalise as normalise
    from trainers.data import Dataset as Dataset
    from trainers.data import Split as Split
    from trainers.data import data_sets as data_sets
    from trainers.data import load as load
    from trainers.determinism import derive_seed as derive_seed
    from trainers.determinism import seeded as seeded
    from trainers.determinism import set_threads as set_threads
    from trainers.devices import resolve as resolve
    from trainers.optimizers import Optimizer as Optimizer
    from trainers.optimizers import make_optimizer as make_optimizer
    from trainers.recipe import Recipe as Recipe
    from trainers.supervised import Diverged as Diverged
    from trainers.supervised import Epoch as Epoch
    from trainers.supervised import Evaluation as Evaluation
    from trainers.supervised import accuracy as accuracy
    from trainers.supervised import evaluate as evaluate
    from trainers.supervised import train as train

MODULE_OF = {
    "Dataset": "data",
    "Diverged": "supervised",
    "Epoch": "supervised",
    "Evaluation": "supervised",
    "Optimizer": "optimizers",
    "Recipe": "recipe",
    "Split": "data",
    "accuracy": "supervised",
    "augment": "augment",
    "data_sets": "data",
    "derive_seed": "determinism",
    "evaluate": "supervised",
    "load": "data",
    "make_optimizer": "optimizers",
    "normalise": "augment",
    "resolve": "devices",
    "seeded": "determinism",
    "set_threads": "determinism",
    "train": "supervised",
}
SUBMODULES = ("checkpoint", "memory", "pausing", "precision")


def __getattr__(name: str) -> object:
    """Import `name` from the module that has it (PEP 562)."""
    if name in SUBMODULES:
        return import_module(f"trainers.{name}")
    if name not in MODULE_OF:
        raise AttributeError(f"module 'trainers' has no attribute {name!r}")
    return getattr(import_module(f"trainers.{MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULE_OF, *SUBMODULES})
