"""The ledger of a search: everything it has proposed, evaluated or not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable

from nas.core.configuration import Configuration
from nas.core.proposal import Proposal


class Ledger:
    """The proposals of a search, by the numbers of their trials.

    Args:
        key: Function whose value is equal for configurations that count as duplicates; see
            `JointSpace.key`.

    Attributes:
        proposals: All of them; the index is the number of the trial.
    """

    def __init__(self, key: Callable[[Configuration], Hashable]) -> None:
        self._key = key
        self.proposals: list[Proposal] = []
        self._first: dict[Hashable, Configuration] = {}

    def add(self, proposal: Proposal) -> None:
        """Record the next proposal."""
        self.proposals.append(proposal)
        if proposal.resume_from is None:
            self._first.setdefault(self._key(proposal.configuration), proposal.configuration)

    def is_new(self, configuration: Configuration) -> bool:
        """True if neither `configuration` nor an equal function has been proposed."""
        return self._key(configuration) not in self._first

    @property
    def configurations(self) -> Collection[Configuration]:
        """The different configurations proposed, in order; of equal functions, the first."""
        return self._first.values()
