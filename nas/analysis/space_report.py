"""Report on a search space for a task: size, costs, decisions, known networks, warnings."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from search_spaces import (
    Architecture,
    Choice,
    Feasible,
    Integer,
    Real,
    Repeat,
    SearchSpace,
    Struct,
    Task,
)
from search_spaces.tree import label
from search_spaces.tree.extended import Extended
from search_spaces.tree.node import Decision, Node
from search_spaces.tree.values import Scalar

_EXACT = 20_000  # most members that are all examined, where costs have a closed form
_SAMPLE = 2_000  # size of the sample of a larger space
_MEASURED = 100  # both, where the cost of each architecture needs its network
_EXPECTED = 30  # expected uses of an option in the sample from which its absence is reported
_CHANGES = 20  # changes of a decision without effect from which it is reported
_BINS = 10  # of a histogram
USUAL_INPUT = {1: (64,), 2: (3, 128), 3: (3, 32, 32)}  # shape by number of axes


class Key(NamedTuple):
    """A decision, whichever item of a list it belongs to."""

    path: str  # "stages[].kernel"
    node: Node


@dataclass
class Occurrences:
    """Occurrences of a decision in the sample."""

    architectures: int  # in which the decision is active
    options: Counter[Scalar]


def usual_task(space: SearchSpace, classes: int) -> Task:
    """A small task for the space, of images if it accepts them."""
    return Task(USUAL_INPUT[max(space.inputs)], classes, dense=space.dense)


def report(space: SearchSpace, task: Task, trials: int | None = None) -> dict[str, Any]:
    """The report of `nas spaces NAME --json`.

    Keys: space, size (null for infinite), inputs, settings, source, input, classes; sample (number
    of architectures examined; exact: true if these are all), functions (number of different ones
    among them; null if the space has no canonical form) and duplicates (the share of the rest);
    without_dead_parts (architectures: number of those in the sample, functions: different ones up to
    constants; null if nothing is dead in the space); parameters and macs (minimum, median, maximum, histogram: low, high, count), decisions (path,
    options, active: the share of architectures in which it is active), known (name, parameters,
    macs, peak_activation_bytes) and warnings (one line each).

    Args:
        space: The search space.
        task: Task that costs are computed for.
        trials: Warn if the space has fewer architectures than this.

    Raises:
        ValueError: the space does not accept inputs of the task.
    """
    measured = Feasible(space, task)  # caches costs
    sample, exact = _sample(space)
    costs = [measured.cost(architecture) for architecture in sample]
    functions = None
    if space.canonical_form is not None:
        functions = len({space.canonical(architecture) for architecture in sample})
    decisions = _decisions(space, sample)
    warnings = [
        *_few(space, trials, functions if exact else None),
        *_unused(space, decisions, len(sample), exact=exact),
        *_inert(measured, sample),
    ]
    return {
        "space": space.name,
        "size": None if space.size == math.inf else space.size,
        "inputs": list(space.inputs),
        "settings": dict(space.settings),
        "source": space.source,
        "input": list(task.input_shape),
        "classes": task.outputs,
        "sample": {"number": len(sample), "exact": exact},
        "functions": functions,
        "without_dead_parts": _without_dead_parts(space, sample),
        "duplicates": None if functions is None else 1 - functions / len(sample),
        "parameters": _distribution([cost.parameters for cost in costs]),
        "macs": _distribution([cost.macs for cost in costs]),
        "decisions": [
            {
                "path": key.path,
                "options": _options(key.node, seen.options),
                "active": seen.architectures / len(sample),
            }
            for key, seen in decisions.items()
        ],
        "known": [
            {"name": name, **asdict(measured.cost(architecture))}
            for name, architecture in space.known.items()
        ],
        "warnings": warnings,
    }


def _without_dead_parts(
    space: SearchSpace, sample: Sequence[Architecture]
) -> dict[str, int] | None:
    if space.simplify is None:
        return None
    simple = [space.simplified(architecture) for architecture in sample]
    count = sum(a == b for a, b in zip(simple, sample, strict=True))
    functions = {space.canonical(architecture) for architecture in simple if architecture}
    return {"architectures": count, "functions": len(functions)}


def _sample(space: SearchSpace) -> tuple[list[Architecture], bool]:
    """All architectures and True, or a sample, always the same, and False."""
    most, some = (_EXACT, _SAMPLE) if space.count is not None else (_MEASURED, _MEASURED)
    if space.tree.size <= most:
        return list(space), True
    rng = Random("report")
    return [space.sample(rng) for _ in range(some)], False


def _distribution(numbers: Sequence[int]) -> dict[str, Any]:
    ordered = sorted(numbers)
    low, high = ordered[0], ordered[-1]
    if low == high:
        edges = [float(low), float(high)]
    elif low > 0 and high > 10 * low:  # equal ratios
        edges = [low * (high / low) ** (i / _BINS) for i in range(_BINS + 1)]
    else:
        edges = [low + (high - low) * i / _BINS for i in range(_BINS + 1)]
    below = [bisect_left(ordered, edge) for edge in edges[1:-1]]
    counts = [b - a for a, b in pairwise([0, *below, len(ordered)])]
    return {
        "minimum": low,
        "median": ordered[(len(ordered) - 1) // 2],
        "maximum": high,
        "histogram": [
            {"low": edges[i], "high": edges[i + 1], "count": count}
            for i, count in enumerate(counts)
        ],
    }


def _keyed(space: SearchSpace, architecture: Architecture) -> Iterator[tuple[Key, Decision]]:
    for decision in space.tree.decisions(architecture.value):
        yield Key(re.sub(r"\[\d+\]", "[]", decision.path) or "value", decision.node), decision


def _decisions(space: SearchSpace, sample: Sequence[Architecture]) -> dict[Key, Occurrences]:
    found: dict[Key, Occurrences] = {}
    for architecture in sample:
        here = [(key, decision.option) for key, decision in _keyed(space, architecture)]
        for key, option in here:
            found.setdefault(key, Occurrences(0, Counter())).options[option] += 1
        for key in dict.fromkeys(key for key, _ in here):
            found[key].architectures += 1
    return found


def _options(node: Node, seen: Counter[Scalar]) -> list[str]:
    match node:
        case Choice():
            return [label(option) for option in node.options]
        case Integer():
            steps = f" in steps of {node.step}" if node.step > 1 else ""
            return [f"{label(node)}{steps}"]
        case Real():
            return [f"{label(node)}, on a log scale" if node.log else label(node)]
    return [str(option) for option in sorted(seen, key=lambda o: (str(type(o)), o))]


# -- warnings --------------------------------------------------------------------------------


def _few(space: SearchSpace, trials: int | None, functions: int | None) -> Iterator[str]:
    size = space.size if functions is None else functions
    if trials is not None and size < trials:
        what = "architectures" if functions is None else "different functions"
        yield f"{space.name} holds {size:,} {what}, fewer than the {trials:,} trials asked for"


def _unused(
    space: SearchSpace, decisions: dict[Key, Occurrences], number: int, *, exact: bool
) -> Iterator[str]:
    """Warn of options of the tree that no examined architecture takes."""
    by_share = set(_sampled_by_share(space.tree))
    for key, seen in decisions.items():
        if not (exact or key.node in by_share):
            continue
        for name, share in _shares(key.node):
            expected = share * seen.options.total()
            if name not in seen.options and (exact or expected >= _EXPECTED):
                of = "" if exact else f" of {number:,} that were sampled"
                yield f"no architecture{of} takes {key.path}: {name}"


def _sampled_by_share(node: Node) -> Iterator[Node]:
    """The decisions below `node` whose options are sampled in proportion to their values.

    Decisions inside other kinds of nodes than the five of a tree may be sampled otherwise.
    """
    yield node
    match node:
        case Choice():
            inside = [option for option in node.options if isinstance(option, Node)]
        case Struct():
            inside = list(node.fields.values())
        case Repeat():
            inside = [node.item]
        case Extended():
            inside = [node.node]
        case _:
            inside = []
    for child in inside:
        yield from _sampled_by_share(child)


def _shares(node: Node) -> Iterator[tuple[Scalar, float]]:
    """The options of a decision and their shares in uniform draws from the tree alone."""
    if isinstance(node, Choice):
        for option in node.options:
            weight = option.weight if isinstance(option, Node) else 1
            shown = option if isinstance(option, Scalar) else label(option)
            yield shown, weight / node.weight
    elif isinstance(node, Integer):
        for value in node.points():
            yield value, 1 / node.weight


def _inert(measured: Feasible, sample: Sequence[Architecture]) -> Iterator[str]:
    """Warn of decisions that never change the network.

    Networks are compared by their canonical forms if the space has some; otherwise by their costs
    and, if those are equal, by logits with the same initial weights. A space with costs in closed
    form and no canonical form is not examined: such costs do not depend on, say, an activation.
    """
    space = measured.space
    if space.canonical_form is None and space.count is not None:
        return
    rng = Random("inert")
    changes: dict[Key, int] = {}  # number of changes of each decision
    effective: set[Key] = set()
    for architecture in rng.sample(sample, min(len(sample), 5 * _CHANGES)):
        for key, decision in _keyed(space, architecture):
            if key in effective or changes.get(key, 0) >= _CHANGES:
                continue
            other = Architecture(space.name, decision.resample(rng))
            if other not in space or other == architecture:
                continue
            changes[key] = changes.get(key, 0) + 1
            if _differ(measured, architecture, other):
                effective.add(key)
    for key, count in changes.items():
        if key not in effective and count >= min(_CHANGES, len(sample)) // 2:
            yield f"{key.path} never changes the network: {count} changes of it were examined"


def _differ(measured: Feasible, a: Architecture, b: Architecture) -> bool:
    space, task, build = measured.space, measured.task, measured.space.build
    assert task is not None
    if measured.cost(a) != measured.cost(b):
        return True
    if space.canonical_form is not None:
        return space.canonical(a) != space.canonical(b)
    if build is None:
        return True  # unknown without networks
    import torch

    logits = []
    for architecture in (a, b):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            network = build(architecture, task).eval()
            logits.append(network(torch.rand(2, *task.input_shape)))
    return not torch.equal(*logits)
