"""The settings of the evaluator `supernet`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from nas.evaluators.supernet.sampling import Sampling
from search_spaces import notation

if TYPE_CHECKING:
    from trainers import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetSettings:
    """Settings of the training of a supernet, and of its scores.

    Attributes:
        sampling: Architectures of a step: see `nas.evaluators.supernet.sampling.Paths`.
        epochs: Passes over the training split; the learning rate anneals over them.
        batch_size: Examples of a step.
        learning_rate: Peak of the learning rate, of a cosine schedule.
        recalibration: Training examples from which a subnet's batch norms take their statistics; 0 for
            the running statistics of the supernet, which rank badly.
        trust: Members that are trained from scratch to compare their ranks; 0 for no comparison.

    Raises:
        ValueError: one is not allowed; names it.
    """

    sampling: Sampling = "uniform"
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.05
    recalibration: int = 1024
    trust: int = 8

    def __post_init__(self) -> None:
        if self.sampling not in get_args(Sampling):
            allowed = ", ".join(get_args(Sampling))
            raise ValueError(f"supernet: want sampling as one of {allowed}, got {self.sampling!r}")
        if self.epochs < 1:
            raise ValueError(f"supernet: want epochs of at least 1, got {self.epochs}")
        if self.recalibration < 0 or self.recalibration == 1:
            raise ValueError(
                f"supernet: want recalibration as 0 or at least 2, got {self.recalibration}"
            )
        if self.trust and self.trust < LEAST:
            raise ValueError(f"supernet: want trust as 0 or at least {LEAST}, got {self.trust}")
        _ = self.recipe  # refuses what a recipe does not allow

    @classmethod
    def parse(cls, text: str) -> SupernetSettings:
        """Read `supernet:setting=value,...`.

        Raises:
            ValueError: a setting is unknown or not allowed; names it.
        """
        name, given = notation.parse(text)
        notation.check(name, cls, given)
        return cls(**given)  # type: ignore[arg-type]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the training: without label smoothing, which favours no architecture's loss."""
        from trainers import Recipe

        return Recipe(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="cosine",
            label_smoothing=0.0,
        )


LEAST = 5  # members from which an interval of Kendall's tau is known
