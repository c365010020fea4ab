"""Successive halving: train a group of networks briefly, resume the best part of them, and so on.

Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
AISTATS 2016, https://arxiv.org/abs/1502.07943; with a reduction factor as in Li et al., "A System
for Massively Parallel Hyperparameter Tuning", MLSys 2020, Algorithm 1 (s = 0). Deviations: those of
`nas.schedules.asha`; and where the papers end after one bracket, another one begins.
"""

from __future__ import annotations

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.schedules.brackets import Brackets, Shape
from nas.schedules.rungs import levels
from nas.strategies import Strategy


class SuccessiveHalving(Brackets):
    """Train a bracket of new trials briefly, resume its best 1/eta, then the best 1/eta of those, ...

    Args:
        strategy: Proposes new configurations.
        candidates: The configurations it chooses from; their ledger has what was proposed.
        objectives: The objectives that decide promotion.
        epochs: Number of epochs of the recipe, those of the last rung.
        eta: Reduction factor: one in `eta` trials of a rung is promoted. Range: 2 or more.
        min_epochs: Epochs of the first rung; each further rung has `eta` times more, up to those of
            the recipe. Range: 1 or more.
        rungs: The epochs of all rungs, such as "12+200", instead of `min_epochs`. Range: rising
            numbers joined by +, the last those of the recipe.
        bracket: New trials of a bracket (n in the paper); 0 for the smallest number that reaches the
            last rung. Range: 0, or enough for one to reach the last rung.
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
