"""Ensembles of networks of a member space, each with a weight.

Predictions are the weighted mean of those of the members, as in the ensemble selection of Caruana et
al., "Ensemble Selection from Libraries of Models", ICML 2004: the weight of a member is the number
of times that it was selected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from fractions import Fraction
from typing import TYPE_CHECKING

from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Repeat, Struct
from search_spaces.tree.extended import Extended
from search_spaces.tree.values import Value

if TYPE_CHECKING:
    from torch import nn

NAME = "ensemble"
MEANS = ("probabilities", "sigmoids", "outputs")
SEARCHED = (2, 4)  # members of an ensemble that is sampled
MOST_MEMBERS, MOST_COUNT = 200, 1000  # that are accepted


def ensemble_of(member: SearchSpace) -> SearchSpace:
    """The ensembles of networks of `member`.

    An architecture is `{"mean": ..., "members": [{"count": n, "architecture": value}, ...]}`. The mean
    is that of the softmax of the outputs ("probabilities"), of their sigmoid ("sigmoids"), or of the
    outputs; `count` is the weight of a member, relative to the others.

    Args:
        member: The space of the members; not one of ensembles.

    Raises:
        ValueError: it is one of ensembles.
    """
    if member.name == NAME:
        raise ValueError("want an ensemble of networks, got one of ensembles")

    def part(count: Choice | Integer) -> Struct:
        return Struct(count=count, architecture=member.tree)

    low, high = SEARCHED
    members = Extended(
        Repeat(part(Choice(1)), low, high),
        Repeat(part(Integer(1, MOST_COUNT)), 1, MOST_MEMBERS),
        lambda value: not low <= len(value) <= high or any(each["count"] > 1 for each in value),
    )

    def build(architecture: Architecture, task: Task) -> nn.Module:
        from search_spaces.ensemble import network

        assert member.build is not None
        nets = [member.build(each, task) for each in members_of(architecture, member)]
        counts = [each["count"] for each in architecture["members"]]
        return network.MEANS[architecture["mean"]](nets, counts)

    def count_parameters(architecture: Architecture, task: Task) -> int:
        members = members_of(architecture, member)
        return sum(member.parameters_of_member(each, task) for each in members)

    def objection(architecture: Architecture) -> str | None:
        assert member.objection is not None
        found = map(member.objection, members_of(architecture, member))
        return next(filter(None, found), None)

    def simplify(architecture: Architecture) -> Architecture | None:
        simple = [member.simplified(each) for each in members_of(architecture, member)]
        counts = [each["count"] for each in architecture["members"]]
        parts = [(each.value, n) for each, n in zip(simple, counts, strict=True) if each]
        if len(parts) < len(simple):
            return None
        return Architecture(NAME, ensemble_value(architecture["mean"], parts))

    def canonical(architecture: Architecture) -> Hashable:
        """The functions of the members and their shares, in any order."""
        total = sum(each["count"] for each in architecture["members"])
        shares = [Fraction(each["count"], total) for each in architecture["members"]]
        functions = map(member.canonical, members_of(architecture, member))
        parts = Counter(zip(functions, shares, strict=True))
        return architecture["mean"], frozenset(parts.items())

    return SearchSpace(
        name=NAME,
        tree=Struct(mean=Choice(*MEANS), members=members),
        build=None if member.build is None else build,
        inputs=member.inputs,
        dense=member.dense,
        source="Caruana et al., ICML 2004",
        objection=None if member.objection is None else objection,
        canonical_form=canonical,
        simplify=None if member.simplify is None else simplify,
        count_parameters=count_parameters,
    )


def members_of(architecture: Architecture, member: SearchSpace) -> list[Architecture]:
    """The architectures of the members of an ensemble, in order."""
    return [Architecture(member.name, each["architecture"]) for each in architecture["members"]]


def ensemble_value(mean: str, members: list[tuple[Value, int]]) -> dict[str, Value]:
    """The value of an ensemble of architectures, each with the number of times that it counts."""
    parts = [{"count": count, "architecture": value} for value, count in members]
    return {"mean": mean, "members": parts}
