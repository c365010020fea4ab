"""Hyperband: brackets of successive halving, from many trials with few epochs to few with many.

Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar, "Hyperband: A Novel Bandit-Based Approach to
Hyperparameter Optimization", JMLR 18(185), 2018, Algorithm 1. https://arxiv.org/abs/1603.06560.
Deviations: those of `nas.schedules.asha`; and when the loop over s has ended, it begins again.
"""

from __future__ import annotations

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.schedules.brackets import Brackets, Shape
from nas.schedules.rungs import levels
from nas.strategies import Strategy


class Hyperband(Brackets):
    """Brackets of successive halving, from many new trials with few epochs to few with all.

    Args:
        strategy: Proposes new configurations.
        candidates: The configurations it chooses from; their ledger has what was proposed.
        objectives: The objectives that decide promotion.
        epochs: Number of epochs of the recipe, those of the last rung (R in the paper).
        eta: Reduction factor: one in `eta` trials of a rung is promoted. Range: 2 or more.
        min_epochs: Epochs of the first rung; each further rung has `eta` times more, up to those of
            the recipe. Range: 1 or more.
        rungs: The epochs of all rungs, such as "12+200", instead of `min_epochs`. Range: rising
            numbers joined by +, the last those of the recipe.
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
    ) -> None:
        found = levels(epochs, eta=eta, min_epochs=min_epochs, rungs=rungs)
        super().__init__(strategy, candidates, objectives, shapes(found, eta))


def shapes(levels: tuple[int, ...], eta: int) -> list[Shape]:
    """The brackets s = s_max, ..., 0: n = ceil((s_max + 1) eta^s / (s + 1)) newcomers each."""
    count = len(levels)  # s_max + 1
    return [
        Shape(-(-count * eta**s // (s + 1)), levels[count - s - 1 :], eta)
        for s in reversed(range(count))
    ]
