"""Population based training: weak members continue from the weights of strong ones, perturbed.

Jaderberg, Dalibard, Osindero, Czarnecki, Donahue, Razavi, Vinyals, Green, Dunning, Simonyan,
Fernando & Kavukcuoglu, "Population Based Training of Neural Networks", 2017, Algorithm 1 with
truncation selection. https://arxiv.org/abs/1711.09846. Deviations: members are compared after
equally many epochs, once all have reached them (`nas.schedules.populations`); with several
objectives the best members are those of the best Pareto rank and crowding distance; a failed member
is replaced like a weak one; the first members are proposed by any strategy. Sub-populations may be
compared at several frequencies (`nas.schedules.selection`).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.schedules import exploration
from nas.schedules.populations import Populations
from nas.strategies import Strategy
from search_spaces import Record, Struct


class PopulationBasedTraining(Populations):
    """Train a population; replace its weakest members by forks of the strongest, and perturb those.

    Args:
        strategy: Proposes the first members.
        candidates: The configurations it chooses from; their ledger has what was proposed.
        objectives: The objectives that decide who is weak and who is strong.
        epochs: Number of epochs of the recipe, to which every member is trained.
        population: Number of members. Range: 2 or more.
        every: Epochs between two comparisons. Range: 1 or more.
        quantile: Share of the members that are weak, and as many are strong. Range: above 0 to 0.5.
        factor: Factor by which a number is multiplied or divided, at random. Range: 1 or more.
        resample: Probability that a hyperparameter of a fork is drawn anew instead. Range: 0 to 1.
        explore: Hyperparameters that forks change, such as "learning_rate+dropout"; all by default.
            Range: names joined by +.
        mutate: Probability that a fork differs in a decision of the architecture too; it inherits
            the weights that fit. Range: 0 to 1.
        frequencies: Frequencies of sub-populations, such as "1+4": one takes part in every comparison,
            the other in every fourth. Range: rising numbers joined by +.

    Raises:
        ValueError: a setting is not allowed.
    """

    def __init__(
        self,
        strategy: Strategy,
        candidates: Candidates,
        objectives: Objectives,
        epochs: int,
        *,
        population: int = 8,
        every: int = 1,
        quantile: float = 0.25,
        factor: float = 1.2,
        resample: float = 0.25,
        explore: str = "",
        mutate: float = 0.0,
        frequencies: str = "1",
    ) -> None:
        tree = candidates.space.hyperparameters
        super().__init__(
            strategy,
            candidates,
            objectives,
            epochs,
            explorer=_Perturbation(tree, factor=factor, resample=resample, explore=explore),
            population=population,
            every=every,
            quantile=quantile,
            mutate=mutate,
            frequencies=frequencies,
        )


class _Perturbation:
    """The hyperparameters of the source, each perturbed or resampled."""

    def __init__(self, tree: Struct, *, factor: float, resample: float, explore: str) -> None:
        if not factor >= 1:
            raise ValueError(f"want a factor of at least 1, got {factor}")
        if not 0 <= resample <= 1:
            raise ValueError(f"want resample from 0 to 1, got {resample}")
        self._tree, self._only = tree, exploration.names(tree, explore)
        self._factor, self._resample = factor, resample

    def tell(self, trials: Sequence[Trial]) -> None:
        """Nothing is learnt."""

    def explore(self, source: Trial, pending: Sequence[Proposal], rng: Random) -> Record:  # noqa: ARG002
        return exploration.explored(
            self._tree,
            source.hyperparameters,
            rng,
            only=self._only,
            factor=self._factor,
            resample=self._resample,
        )
