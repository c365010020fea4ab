"""What a search space holds, for a task: its size, costs, decisions, known networks, and traps."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from random import Random
from textwrap import wrap
from typing import Any, NamedTuple

from nas.core.numbers import short
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

_EXACT = 20_000  # members: all are looked at, where costs are in closed form
_SAMPLE = 2_000  # otherwise
_MEASURED = 100  # where each cost is a network built
_EXPECTED = 30  # uses of an option in the sample, before their absence says something
_CHANGES = 20  # of a decision, none of which changes the network
_BINS = 10
_WIDTH = 80
USUAL_INPUT = {1: (64,), 2: (3, 128), 3: (3, 32, 32)}  # by the number of axes


class Key(NamedTuple):
    """A decision wherever it is met: items of a list share theirs."""

    path: str  # "stages[].kernel"
    node: Node


@dataclass
class Seen:
    """How a decision was taken in the architectures looked at."""

    architectures: int  # in which it is met
    options: Counter[Scalar]


def usual_task(space: SearchSpace, classes: int) -> Task:
    """A small task of a kind that the space is for: images if it can be."""
    return Task(USUAL_INPUT[max(space.inputs)], classes)


def report(space: SearchSpace, task: Task, trials: int | None = None) -> dict[str, Any]:
    """What `nas spaces NAME --json` prints.

    Keys: space, size (null for infinite), inputs, settings, source, input, classes; sample (number
    of architectures looked at, and exact: whether these are all), functions (different ones among
    them; null where the space does not say what is equal) and duplicates (the share of the rest);
    parameters and macs (minimum, median, maximum, histogram: low, high, count), decisions (path,
    options, active: the share of architectures that take it), known (name, parameters, macs,
    peak_activation_bytes) and warnings (a line each).

    Raises:
        ValueError: the space is not for such inputs.
    """
    measured = Feasible(space, task)  # which remembers costs
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
        "classes": task.classes,
        "sample": {"number": len(sample), "exact": exact},
        "functions": functions,
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


def lines(document: dict[str, Any]) -> Iterator[str]:
    """The same for people, in 80 columns."""
    size, sample = document["size"], document["sample"]
    number = f"{sample['number']:,}"
    looked = f"all {number}" if sample["exact"] else f"{number} drawn"
    shape = "x".join(map(str, document["input"]))
    settings = ", ".join(f"{name}={value}" for name, value in document["settings"].items())
    yield from _field("space", document["space"] + (f" ({settings})" if settings else ""))
    yield from _field("source", document["source"] or "-")
    yield from _field("size", "infinite" if size is None else f"{size:,}")
    if document["functions"] is None:
        yield from _field("duplicates", "not known: the space does not say what is equal")
    else:
        yield from _field(
            "duplicates",
            f"{document['duplicates']:.1%} of {looked}: {document['functions']:,} functions",
        )
    for title, key in (("parameters", "parameters"), ("MACs", "macs")):
        costs = document[key]
        low, middle, high = (short(costs[name]) for name in ("minimum", "median", "maximum"))
        yield ""
        yield f"{title} of {looked}, for input {shape} and {document['classes']} classes"
        yield f"  {low} to {high}, half of them up to {middle}"
        yield from _histogram(costs["histogram"])
    yield ""
    yield "decisions (share of architectures that take it)"
    for decision in document["decisions"]:
        options = ", ".join(decision["options"])
        yield from _field(f"  {decision['path']}", f"({decision['active']:.0%}) {options}", 26)
    if document["known"]:
        yield ""
        yield f"{'known':<40} {'parameters':>12} {'MACs':>12}"
        for known in document["known"]:
            name = f"  {known['name']}"
            yield f"{name:<40} {short(known['parameters']):>12} {short(known['macs']):>12}"
    if document["warnings"]:
        yield ""
        for warning in document["warnings"]:
            yield from _field("warning", warning, 9)


def _sample(space: SearchSpace) -> tuple[list[Architecture], bool]:
    """All architectures (True), or some; the same ones every time."""
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


def _histogram(bins: Sequence[dict[str, Any]]) -> Iterator[str]:
    most = max(b["count"] for b in bins)
    for b in bins:
        bar = "#" * math.ceil(40 * b["count"] / most)
        yield f"  {short(b['low']):>9} to {short(b['high']):>9}  {bar:<40}  {b['count']:>7,}"


def _keyed(space: SearchSpace, architecture: Architecture) -> Iterator[tuple[Key, Decision]]:
    for decision in space.tree.decisions(architecture.value):
        yield Key(re.sub(r"\[\d+\]", "[]", decision.path) or "value", decision.node), decision


def _decisions(space: SearchSpace, sample: Sequence[Architecture]) -> dict[Key, Seen]:
    found: dict[Key, Seen] = {}
    for architecture in sample:
        here = [(key, decision.option) for key, decision in _keyed(space, architecture)]
        for key, option in here:
            found.setdefault(key, Seen(0, Counter())).options[option] += 1
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
    space: SearchSpace, decisions: dict[Key, Seen], number: int, *, exact: bool
) -> Iterator[str]:
    """Options that the tree offers and no member takes, as far as can be seen."""
    by_share = set(_drawn_by_share(space.tree))
    for key, seen in decisions.items():
        if not (exact or key.node in by_share):
            continue
        for name, share in _shares(key.node):
            expected = share * seen.options.total()
            if name not in seen.options and (exact or expected >= _EXPECTED):
                of = "" if exact else f" of {number:,} that were drawn"
                yield f"no architecture{of} takes {key.path}: {name}"


def _drawn_by_share(node: Node) -> Iterator[Node]:
    """The decisions below `node` of which a draw takes each option as often as it has values.

    What is inside a kind of node that is not one of the tree's own goes by its own rules.
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
        yield from _drawn_by_share(child)


def _shares(node: Node) -> Iterator[tuple[Scalar, float]]:
    """The options of a decision as a uniform draw from the tree alone would take them."""
    if isinstance(node, Choice):
        for option in node.options:
            weight = option.weight if isinstance(option, Node) else 1
            shown = option if isinstance(option, Scalar) else label(option)
            yield shown, weight / node.weight
    elif isinstance(node, Integer):
        for value in node.points():
            yield value, 1 / node.weight


def _inert(measured: Feasible, sample: Sequence[Architecture]) -> Iterator[str]:
    """Decisions that never change the network, however they are taken.

    A space that says what computes the same is asked. Where costs come from networks that are
    built, what changes no cost must change the logits of one with the same weights. Otherwise
    (costs in closed form, which say nothing about an activation) nothing can be said.
    """
    space = measured.space
    if space.canonical_form is None and space.count is not None:
        return
    rng = Random("inert")
    changes: dict[Key, int] = {}  # of a decision, without effect so far
    alive: set[Key] = set()
    for architecture in rng.sample(sample, min(len(sample), 5 * _CHANGES)):
        for key, decision in _keyed(space, architecture):
            if key in alive or changes.get(key, 0) >= _CHANGES:
                continue
            other = Architecture(space.name, decision.resample(rng))
            if other not in space or other == architecture:
                continue
            changes[key] = changes.get(key, 0) + 1
            if _differ(measured, architecture, other):
                alive.add(key)
    for key, count in changes.items():
        if key not in alive and count >= min(_CHANGES, len(sample)) // 2:
            yield f"{key.path} never changes the network: {count} changes of it were looked at"


def _differ(measured: Feasible, a: Architecture, b: Architecture) -> bool:
    space, task = measured.space, measured.task
    if measured.cost(a) != measured.cost(b):
        return True
    if space.canonical_form is not None:
        return space.canonical(a) != space.canonical(b)
    import torch

    logits = []
    for architecture in (a, b):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            network = space.build(architecture, task).eval()
            logits.append(network(torch.rand(2, *task.input_shape)))
    return not torch.equal(*logits)


def _field(name: str, text: str, indent: int = 12) -> Iterator[str]:
    first = f"{name:<{indent}} " if len(name) <= indent else f"{name} "
    later = " " * (indent + 1)
    yield from wrap(text, _WIDTH, initial_indent=first, subsequent_indent=later) or [first.rstrip()]
