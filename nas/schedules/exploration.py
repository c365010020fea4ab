"""Exploration: the hyperparameters of a fork, near those of the trial that it is a fork of.

Jaderberg et al., "Population Based Training of Neural Networks", 2017, Section 4.1 ("perturb" and
"resample"). https://arxiv.org/abs/1711.09846. Deviations: each hyperparameter is resampled with a
probability of its own; an ordered list of numbers moves to a neighbour; and what depends on a choice
that was resampled is drawn anew.
"""

from __future__ import annotations

from random import Random

from search_spaces import Choice, Integer, Node, Real, Record, Struct
from search_spaces.tree.node import Answer, Question
from search_spaces.tree.values import Value


def names(tree: Struct, text: str) -> frozenset[str]:
    """The hyperparameters that are explored: those of `text`, such as "momentum+dropout", or all.

    Raises:
        ValueError: one is not in the tree; lists those that are.
    """
    known = set(tree.fields)
    chosen = frozenset(text.split("+")) if text else frozenset(known)
    if unknown := sorted(chosen - known):
        listed = "+".join(tree.fields) or "no hyperparameters: none are searched"
        raise ValueError(f"want explore to name some of {listed}, got {unknown[0]}")
    return chosen


def explored(
    tree: Struct,
    value: Record,
    rng: Random,
    *,
    only: frozenset[str],
    factor: float,
    resample: float,
) -> Record:
    """Perturb or resample hyperparameters.

    Args:
        tree: The tree of the hyperparameters.
        value: A value of it.
        rng: Decides everything random.
        only: Names of the fields that change.
        factor: A number is multiplied by it or by its inverse, and stays in its range.
        resample: Probability that a decision is drawn anew from its whole range.
    """
    known = {(d.path, d.node): d.answer for d in tree.decisions(value)}

    def choose(question: Question) -> Answer:
        before = known.get((question.path, question.node))
        if before is None:
            return _drawn(question, rng)
        if question.path.partition(".")[0].partition("[")[0] not in only:
            return before
        if rng.random() < resample:
            return _drawn(question, rng)
        return _perturbed(question.node, before, factor if rng.random() < 0.5 else 1 / factor)

    found: Record = tree.decide(choose)
    return Record({name: found[name] if name in only else value[name] for name in value})


def _drawn(question: Question, rng: Random) -> Answer:
    if isinstance(question.node, Real):
        return rng.random()
    if all(weight == 1 for weight in question.weights):
        return rng.randrange(len(question.weights))
    index = rng.randrange(sum(question.weights))  # exact: weights may be beyond any float
    for answer, weight in enumerate(question.weights):
        index -= weight
        if index < 0:
            return answer
    raise AssertionError("no answer has a weight")


def _perturbed(node: Node, answer: Answer, factor: float) -> Answer:
    """The answer for a value that is `factor` times that of `answer`, as near as there is one."""
    up = factor > 1
    if isinstance(node, Real):
        return min(max(node.unit(factor * node.at(answer)), 0.0), 1.0)
    if isinstance(node, Integer):
        before = node.low + int(answer) * node.step
        moved = round((factor * before - node.low) / node.step)
        moved = max(moved, int(answer) + 1) if up else min(moved, int(answer) - 1)
        return min(max(moved, 0), (node.high - node.low) // node.step)
    if isinstance(node, Choice) and is_ordered(node.options):
        return min(max(int(answer) + (1 if up else -1), 0), len(node.options) - 1)
    return answer


def is_ordered(options: tuple[Value, ...]) -> bool:
    """True if the options are numbers that rise or fall."""
    if any(isinstance(o, bool) or not isinstance(o, int | float) for o in options):
        return False
    return list(options) in (sorted(options), sorted(options, reverse=True))
