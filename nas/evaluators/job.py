"""A job: one evaluation, as its evaluator sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.core.configuration import Configuration
from nas.core.proposal import Proposal


class Job:
    """One evaluation: what is to be evaluated, and what the evaluator reports besides scores.

    Attributes:
        number: Number of the trial.
        proposal: The configuration, its budget and the trial it resumes, if any.
        recipe: All hyperparameters used, fixed and searched; set by the evaluator.
        curve: One record an epoch, those of earlier stages first.
        measured: Facts that another run would measure differently, such as seconds.
        weights_sha256: SHA-256 of the checkpoint, if the evaluator wrote one.
    """

    def __init__(self, number: int, proposal: Proposal) -> None:
        self.number = number
        self.proposal = proposal
        self.recipe: Mapping[str, Any] = {}
        self.curve: list[Mapping[str, float]] = []
        self.measured: dict[str, Any] = {}
        self.weights_sha256: str | None = None

    @property
    def configuration(self) -> Configuration:
        """The architecture and the hyperparameters to evaluate."""
        return self.proposal.configuration

    @property
    def root(self) -> int:
        """Number of the trial that started the network; it seeds all that is random."""
        return self.number if self.proposal.root is None else self.proposal.root
