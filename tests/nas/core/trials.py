"""Trials with given scores, for tests of what only looks at scores."""

from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from search_spaces import Architecture, Record


def scored(number: int, **scores: float) -> Trial:
    architecture = Architecture("tiny", Record({"a": number}))
    return Trial(
        number=number,
        proposal=Proposal(Configuration.of(architecture, Record({}))),
        recipe={},
        scores=scores,
    )
