"""A recipe: the hyperparameters of one training, as a frozen value."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["triangle", "cosine", "constant", "plateau"]
Flip = Literal["alternating", "random", "never"]
Precision = Literal["auto", "float32", "bfloat16"]
ClassWeights = Literal["none", "balanced"]

# Peak learning rates, chosen by measurement on digits with a network of 26,000 parameters.
DEFAULT_LEARNING_RATE: dict[str, float] = {"sgd": 0.2, "adamw": 0.01}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides a training, apart from the network, the data and the seed.

    `dataclasses.asdict` and `Recipe.from_dict` are inverse.

    Attributes:
        epochs: Passes over the training split; the learning-rate schedule ends with the last.
        batch_size: Examples per step, at least 2 (batch normalisation cannot learn from one).
        optimizer: "sgd" or "adamw".
        learning_rate: Peak of the schedule. None becomes the optimiser's default on construction.
        schedule: Schedule of the learning rate: "triangle" (up in the first fifth of the steps, then down to
            zero), "cosine" (from the peak down to zero), "constant" or "plateau" (divided where the validation
            loss stalls, see `trainers.recipes.optimizers.plateau`).
        momentum: Momentum of "sgd"; decay of the first moment (beta 1) of "adamw". 0 to below 1.
        nesterov: Use Nesterov's momentum in "sgd".
        weight_decay: Decay of weights, not of norms and biases. L2 penalty for "sgd", decoupled for
            "adamw".
        label_smoothing: Share of the target spread over all classes, 0 to below 1.
        augmentation: Strength from 0 (none) to 1; see `trainers.data.transforms`.
        flip: Horizontal flips, for data whose labels they keep and `augmentation` above 0: a fixed
            random half and the other half in turns ("alternating"), a new random half in every
            epoch ("random"), or "never".
        averaging: Decay of the running average of the weights at the end, 0 to below 1; 0 for no
            averaging. See `trainers.recipes.averaging`.
        patience: Epochs in a row without a better validation score that end the training; 0 for none.
            Above 0 the weights of the best epoch are restored at the end; see
            `trainers.loop.early_stop`.
        precision: Type of most operations; "auto" for the faster one, see
            `trainers.loop.precision`.
        dropout: Dropout rate at the input of the last linear layer, 0 to below 1; for vectors, at that of
            every linear layer but the first.
        class_weights: Weights of the examples in the loss: "balanced" for rare classes to count as
            much as common ones (`trainers.tasks.classification.balanced`), or "none".
        deterministic: Use only operations that give the same bits again on a GPU, which are slower;
            a training with another operation fails. On the CPU all are.

    Raises:
        ValueError: One line that names the field, what was wanted and what was got.
    """

    epochs: int = 5
    batch_size: int = 64
    optimizer: Optimizer = "sgd"
    learning_rate: float | None = None
    schedule: Schedule = "triangle"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    augmentation: float = 0.5
    flip: Flip = "alternating"
    averaging: float = 0.0
    dropout: float = 0.0
    patience: int = 0
    precision: Precision = "auto"
    class_weights: ClassWeights = "none"
    deterministic: bool = False

    def __post_init__(self) -> None:
        _check_integer("epochs", self.epochs, least=1)
        _check_integer("batch_size", self.batch_size, least=2)
        _check_integer("patience", self.patience, least=0)
        for name, allowed_words in WORDS.items():
            if getattr(self, name) not in allowed_words:
                *first, last = allowed_words
                wanted = f"{', '.join(first)} or {last}"
                raise ValueError(f"{name}: want {wanted}, got {getattr(self, name)!r}")
        for name in ("nesterov", "deterministic"):
            if not isinstance(value := getattr(self, name), bool):
                raise ValueError(f"{name}: want true or false, got {value!r}")
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", DEFAULT_LEARNING_RATE[self.optimizer])
        for name, (words, allowed) in NUMBERS.items():
            number = _checked_number(name, getattr(self, name), words, allowed)
            object.__setattr__(self, name, number)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The recipe with these fields, and defaults for the others.

        Raises:
            ValueError: A name is not a field, or a value is not allowed.
        """
        names = [field.name for field in fields(cls)]
        for name in values:
            if name in RENAMED:
                raise ValueError(f"recipe: {name!r} is called {RENAMED[name]!r} now")
            if name not in names:
                raise ValueError(f"recipe: want only {', '.join(names)}, got {name!r}")
        return cls(**values)


RENAMED = {"mirror": "flip"}  # fields of earlier versions

# Allowed words of each field that is a word.
WORDS: dict[str, tuple[str, ...]] = {
    "optimizer": get_args(Optimizer),
    "schedule": get_args(Schedule),
    "flip": get_args(Flip),
    "precision": get_args(Precision),
    "class_weights": get_args(ClassWeights),
}

# Allowed range of each field that is a number, in words and as a test. NaN fails every comparison.
NUMBERS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "learning_rate": ("above 0", lambda x: 0 < x <= sys.float_info.max),
    "momentum": ("from 0 to below 1", lambda x: 0 <= x < 1),
    "weight_decay": ("of at least 0", lambda x: 0 <= x <= sys.float_info.max),
    "label_smoothing": ("from 0 to below 1", lambda x: 0 <= x < 1),
    "augmentation": ("from 0 to 1", lambda x: 0 <= x <= 1),
    "averaging": ("from 0 to below 1", lambda x: 0 <= x < 1),
    "dropout": ("from 0 to below 1", lambda x: 0 <= x < 1),
}


def _check_integer(name: str, value: object, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: want a whole number of at least {least}, got {value!r}")


def _checked_number(
    name: str, value: object, words: str, allowed: Callable[[float], bool]
) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not allowed(value):
        raise ValueError(f"{name}: want a number {words}, got {value!r}")
    return float(value)
