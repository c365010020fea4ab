"""Selection in populations: the members that are replaced by forks, and of whom.

Truncation selection: Jaderberg et al., "Population Based Training of Neural Networks", 2017, Section
4.1. https://arxiv.org/abs/1711.09846. Several frequencies: Doulazmi, Lehuger, Toromanoff et al.,
"Multiple-Frequencies Population-Based Training", 2025. https://arxiv.org/abs/2506.03225. Frequent comparisons
favour settings that pay at once; in a sub-population that is compared seldom, others have time to show
their worth. Members move between them: weights go both ways, hyperparameters only from seldom compared
members to often compared ones. Deviations: the share of weak members is a setting, and as many of those
just above them may be replaced from outside (quarters in the paper); with several objectives members are
ranked by Pareto rank and crowding distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.schedules.rungs import ranked


@dataclass(frozen=True, slots=True)
class Replacement:
    """The fork that takes the place of a member.

    Attributes:
        sources: Trials of which one is forked, the best first.
        settings: The trial that has the hyperparameters of the fork; None for those of the source,
            explored.
    """

    sources: tuple[Trial, ...]
    settings: Trial | None = None


class Selection:
    """The rule that compares the members of a population after each stage.

    Member number `slot` is in sub-population `slot` modulo their number.

    Args:
        objectives: The objectives that members are ranked by.
        size: Number of members.
        quantile: Share of the members of a sub-population that are weak, and as many are strong.
        frequencies: Stages between two comparisons of each sub-population, rising.
    """

    def __init__(
        self, objectives: Objectives, size: int, quantile: float, frequencies: tuple[int, ...]
    ) -> None:
        self._objectives = objectives
        self._frequencies = frequencies
        self._share = max(1, int(size // len(frequencies) * quantile))

    def replacements(self, members: Sequence[Trial], stage: int) -> dict[int, Replacement]:
        """The members that are replaced, by slot; empty if none completed.

        Args:
            members: The trials of a stage, by slot.
            stage: Number of the stage that has ended, from 1.
        """
        best_first = self._ranked(members)
        if not best_first:
            return {}
        slots = {trial.number: slot for slot, trial in enumerate(members)}
        found: dict[int, Replacement] = {}
        for group, frequency in enumerate(self._frequencies):
            own = members[group :: len(self._frequencies)]
            compared = stage % frequency == 0
            order = self._ranked(own)
            failed = len(own) - len(order)
            count = min(max(self._share if compared else 0, failed), max(0, len(own) - 1))
            strong = order[: max(1, min(self._share, len(own) - count))] or best_first[:1]
            beaten = order[len(order) - (count - failed) :] if count > failed else []
            lost = [trial for trial in own if not trial.completed]
            found |= {slots[t.number]: Replacement(tuple(strong)) for t in (*lost, *beaten)}
            if compared and order:
                middle = [trial for trial in order if trial not in strong and trial not in beaten]
                outside = [trial for trial in best_first if trial not in own]
                found |= {
                    slots[member.number]: self._migrated(
                        migrant, slots, frequency, order[0], member
                    )
                    for member, migrant in self._pairs(middle[-self._share :], outside, best_first)
                }
        return found

    def _pairs(
        self, members: Sequence[Trial], outside: Sequence[Trial], best_first: Sequence[Trial]
    ) -> list[tuple[Trial, Trial]]:
        """Members that are not as good as a trial of another sub-population, with that one."""
        place = {trial.number: rank for rank, trial in enumerate(best_first)}
        vector = self._objectives.vector
        return [
            (member, migrant)
            for member, migrant in zip(members, outside, strict=False)
            if place[migrant.number] < place[member.number]
            and vector(migrant.scores) != vector(member.scores)
        ]

    def _migrated(
        self, migrant: Trial, slots: dict[int, int], frequency: int, best: Trial, member: Trial
    ) -> Replacement:
        """A copy of the weights of a trial of another sub-population, and the settings it goes on with."""
        its = self._frequencies[slots[migrant.number] % len(self._frequencies)]
        if its > frequency:  # it was chosen for what pays in the long run
            return Replacement((migrant,), migrant)
        return Replacement((migrant,), best if its < frequency else member)

    def _ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        completed = [trial for trial in trials if trial.completed]
        return ranked(completed, self._objectives, len(completed))


def parse_frequencies(text: str, *, size: int, comparisons: int) -> tuple[int, ...]:
    """Read frequencies such as "1+4".

    Args:
        text: Rising whole numbers of at least 1, joined by +.
        size: Number of members of the population.
        comparisons: Number of comparisons of a training.

    Raises:
        ValueError: they are something else, do not divide the population into parts of at least 2, or
            one would never be compared.
    """
    parts = text.split("+")
    found = tuple(int(part) for part in parts if part.isdecimal())
    if len(found) < len(parts) or found[0] < 1 or any(a >= b for a, b in pairwise(found)):
        raise ValueError(f"want frequencies as rising whole numbers, such as 1+4, got {text}")
    if size % len(found) or size < 2 * len(found):
        raise ValueError(
            f"want a population that {len(found)} frequencies divide into equal parts of at least 2, "
            f"got {size}"
        )
    if found[-1] > comparisons:
        raise ValueError(
            f"want frequencies up to {comparisons}, the comparisons of a training, got {text}"
        )
    return found
