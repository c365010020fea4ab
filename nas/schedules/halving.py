"""Successive halving.

Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
AISTATS 2016, https://arxiv.org/abs/1502.07943; with a reduction factor as in Li et al., "A System
for Massively Parallel Hyperparameter Tuning", MLSys 2020, Algorithm 1 (s = 0). Deviations: as in
`nas.schedules.asha`; and where the papers run one bracket, here the next one follows.
"""

from __future__ import annotations

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.schedules.brackets import Brackets, Shape
from nas.schedules.rungs import levels
from nas.strategies import Strategy


class SuccessiveHalving(Brackets):
    """Train a bracket of newcomers a little, its best 1/eta more, their best 1/eta yet more, ...

    Args:
        strategy: Proposes the architectures.
        candidates: What it chooses from.
        objectives: What promotion is by.
        epochs: Of the recipe.
        eta: Of so many trials of a rung, one is promoted.
        min_epochs: Of the first rung; every other has eta times more, up to `epochs`.
        rungs: The epochs of all rungs, such as "12+200", instead of `min_epochs`.
        bracket: Newcomers of a bracket (n); 0 for the fewest that bring one to the last rung.
    """

    def __init__(
        self,
        strategy: Strategy,
        candidates: Candidates,
        objectives: Objectives,
        epochs: int,
        *,
        eta: int = 3,
        min_epochs: int = 1,
        rungs: str = "",
        bracket: int = 0,
    ) -> None:
        found = levels(epochs, eta=eta, min_epochs=min_epochs, rungs=rungs)
        fewest = eta ** (len(found) - 1)
        if bracket and bracket < fewest:
            raise ValueError(
                f"want a bracket of at least {fewest}, so that one of them is trained to the end, "
                f"got {bracket}"
            )
        super().__init__(strategy, candidates, objectives, [Shape(bracket or fewest, found, eta)])
