"""Differentiable architecture search: learn the weights of all operations, propose by them.

DARTS: Liu, Simonyan & Yang, ICLR 2019, https://arxiv.org/abs/1806.09055.
PC-DARTS: Xu et al., ICLR 2020, https://arxiv.org/abs/1907.05737.
DrNAS: Chen et al., ICLR 2021, https://arxiv.org/abs/2006.10355.

The papers end with one architecture. Here it is the first proposal; the next ones follow by their
probability under the operation weights, so that a search has a front. Scores change nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import islice
from random import Random

import search_spaces
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.strategies.preparing import VARIANTS, Preparation, RelaxedTraining, Variant
from search_spaces import Architecture
from search_spaces.tree.relaxation import OperationWeights, Relaxation

MOST_PROBABLE = 20_000  # architectures in order of probability; after them, uniform draws
RATES = {"darts": 3e-4, "pcdarts": 6e-4, "drnas": 6e-4}  # of the papers' code
PORTION = 4  # of PC-DARTS, for CIFAR-10


class Darts:
    """Propose architectures by operation weights that were trained together with a mixed network.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives; the operation weights minimise the loss alone.
        variant: Method that trains the operation weights. Range: darts, pcdarts or drnas.
        order: Order of the gradients; the second takes about three times as long. Range: 1 or 2.
        epochs: Epochs of the mixed network. Range: 1 or more.
        batch_size: Examples in a step. Range: 2 or more.
        warmup: First epochs in which only the network learns; -1 for 15 of 50 with "pcdarts", 0
            otherwise. Range: -1, or 0 to below `epochs`.
        rate: Learning rate of the operation weights; 0 for that of the paper. Adam moves a weight's
            logit by at most so much a step: with a tenth of the steps, take ten times the rate. Range:
            0 to below 1.
    """

    def __init__(
        self,
        candidates: Candidates,
        objectives: Objectives,  # noqa: ARG002
        *,
        variant: str = "darts",
        order: int = 1,
        epochs: int = 50,
        batch_size: int = 64,
        warmup: int = -1,
        rate: float = 0.0,
    ) -> None:
        self._candidates = candidates
        self._relaxation = _relaxation_of(candidates)
        self._training = _settings(variant, order, epochs, batch_size, warmup, rate)
        self._weights: OperationWeights | None = None
        self._ranked: Iterator[Architecture] = iter(())
        self._next: Architecture | None = None
        self._proposed: set[Hashable] = set()  # canonical forms
        self._counted = 0  # proposals of the ledger that these are of

    def prepare(self, preparation: Preparation) -> None:
        """Train the mixed network, and rank the architectures by their probability."""
        self._weights = preparation.relax(self._training)
        values = islice(self._relaxation.by_probability(self._weights), MOST_PROBABLE)
        self._ranked = map(self._candidates.space.space.architecture, values)
        self._next = next(self._ranked, None)

    def ask(self, rng: Random) -> Proposal:
        """Propose the most probable architecture that is new and within the limits."""
        if self._weights is None:
            raise ValueError(
                "strategy darts: want a search with data, which it trains a mixed network on; got "
                "none"
            )
        space, proposals = self._candidates.space, self._candidates.ledger.proposals
        for proposal in proposals[self._counted :]:
            self._proposed.add(space.space.canonical(proposal.architecture))
        self._counted = len(proposals)
        while self._next is not None:
            configuration = self._configuration(self._next, rng)
            if configuration is not None:
                return Proposal(configuration)
            self._next = next(self._ranked, None)
        return Proposal(self._candidates.sample(rng))

    def tell(self, trial: Trial) -> None:
        """Nothing is learned: the operation weights are what has been learned."""

    def _configuration(self, architecture: Architecture, rng: Random) -> Configuration | None:
        """An architecture with random hyperparameters; None if it is proposed or outside the limits."""
        space = self._candidates.space
        if space.space.canonical(architecture) in self._proposed:
            return None
        configuration = Configuration.of(architecture, space.sample_hyperparameters(rng))
        return configuration if self._candidates.is_available(configuration) else None


def _relaxation_of(candidates: Candidates) -> Relaxation:
    space = candidates.space.space
    if space.relaxation is None:
        able = (name for name in search_spaces.SPACES if search_spaces.get(name).relaxation)
        raise ValueError(
            f"strategy darts: want a space with a relaxation ({', '.join(able)}), got {space.name} "
            f"without one"
        )
    return space.relaxation


def _settings(
    variant: str, order: int, epochs: int, batch_size: int, warmup: int, rate: float
) -> RelaxedTraining:
    found: list[Variant] = [name for name in VARIANTS if name == variant]
    if not found:
        raise ValueError(f"darts: want variant {', '.join(VARIANTS)}, got {variant[:40]!r}")
    if order not in (1, 2):
        raise ValueError(f"darts: want order 1 or 2, got {order}")
    if epochs < 1 or batch_size < 2 or not 0 <= rate < 1:
        raise ValueError(
            "darts: want epochs of at least 1, batch_size of at least 2 and rate from 0 to below 1, "
            f"got {epochs}, {batch_size} and {rate}"
        )
    if not -1 <= warmup < epochs:
        raise ValueError(f"darts: want warmup from 0 to {epochs - 1}, or -1, got {warmup}")
    partial = variant == "pcdarts"
    if warmup == -1:
        warmup = 3 * epochs // 10 if partial else 0
    return RelaxedTraining(
        variant=found[0],
        order=order,
        epochs=epochs,
        batch_size=batch_size,
        warmup=warmup,
        rate=rate or RATES[variant],
        portion=PORTION if partial else 1,
    )
