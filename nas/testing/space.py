"""The contract of search spaces."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import prod
from random import Random
from typing import Any

import search_spaces
from nas.testing.clauses import check_clauses, global_generators_untouched, require
from search_spaces import (
    Architecture,
    Bound,
    Choice,
    Feasible,
    Integer,
    Repeat,
    SearchSpace,
    Struct,
    Task,
)
from search_spaces.tree import label
from search_spaces.tree.extended import Extended
from search_spaces.tree.node import Node
from search_spaces.tree.values import Scalar

# Shapes of inputs of each kind, by their number of axes; the second is a usual one.
SHAPES: dict[int, list[tuple[int, ...]]] = {
    1: [(1,), (13,), (64,)],
    2: [(1, 8), (6, 50), (3, 1000)],
    3: [(1, 8, 8), (3, 32, 32), (2, 33, 21), (3, 224, 224)],
}
DRAWS = 25  # architectures that each clause looks at
LONG_SIDE = 100  # of an input: beyond, networks are not trained here
ENUMERABLE = 30_000  # architectures of a space that is enumerated
FULLY_COUNTED = 2_000  # architectures of a space in which each is drawn 20 times
RARE = "any of the rare"
LEAST_P = 1e-5  # of a chi-squared test: a right space is refused once in 100,000 checks


def check_space(
    space: SearchSpace | str,
    *,
    input_shape: tuple[int, ...] | None = None,
    outputs: int = 7,
) -> None:
    """Check that a search space keeps the contract of `search_spaces.SearchSpace`.

    Clauses:

    - Architectures survive their text, their JSON and the space's own notation.
    - Samples, mutants, children of a crossover and neighbours are members; mutants and neighbours
      differ from their parent, and the child of two equals is equal to them.
    - Samples are uniform: over the architectures of a small space, else over the options of each
      decision that is independent of the others.
    - The tree lists, counts, resamples and rebuilds the decisions of an architecture alike.
    - Published architectures are members and are parsed by name; canonical forms are hashable and
      repeatable; `size` is the number of architectures. Simplified architectures are members without
      dead parts.
    - The architectures that operation weights of a `relaxation` stand for are members, the most
      probable first, and its mixed network gives logits and gradients of the weights.
    - Networks compile for every input shape, give logits (for each pixel, where the space is
      `dense`) and finite gradients.
    - The cost is exactly that of the network: parameters, multiply-accumulates, peak activations.
    - Limits on costs are met; inputs and tasks of other kinds are refused.
    - Only `compile` uses a global random generator, torch's.

    Args:
        space: The space, or the text that `search_spaces.load` reads.
        input_shape: The shape of inputs to check with; by default several of each kind of input.
        outputs: Number of outputs.

    Raises:
        AssertionError: a clause is broken; one sentence says which and how.
    """
    space = search_spaces.load(space) if isinstance(space, str) else space
    shapes = [input_shape] if input_shape else [s for axes in space.inputs for s in SHAPES[axes]]
    subject = Subject(space, [Task(shape, outputs, dense=space.dense) for shape in shapes])
    with global_generators_untouched(subject.name):
        check_clauses(subject.name, CLAUSES, subject)
    check_clauses(subject.name, CLAUSES_OF_NETWORKS, subject)


class Subject:
    """A space to be checked, and the tasks to check it with."""

    def __init__(self, space: SearchSpace, tasks: list[Task]) -> None:
        self.name = f"space {space.name}"
        self.space = space
        self.tasks = tasks

    @property
    def usual_task(self) -> Task:
        """A task of usual size."""
        return self.tasks[min(1, len(self.tasks) - 1)]

    def require(self, kept: bool, breach: str) -> None:
        """Refuse the space unless a clause is kept."""
        require(kept, self.name, breach)

    def require_member(self, architecture: Architecture, what: str) -> None:
        """Refuse the space unless an architecture is one of its members."""
        self.require(architecture in self.space, f"{what} no member of it: {architecture}")

    def small(self, task: Task, rng: Random) -> Architecture:
        """The cheapest of several samples: quick to run, and all kinds of options still occur."""
        drawn = (self.space.sample(rng) for _ in range(10))
        return min(drawn, key=lambda architecture: self.space.cost(architecture, task).macs)


# -- the clauses -------------------------------------------------------------------------------


def _text_round_trips(subject: Subject) -> None:
    space, rng = subject.space, Random(6)
    for architecture in (space.sample(rng) for _ in range(DRAWS)):
        subject.require_member(architecture, "samples")
        for how, read in {
            "its text": Architecture.parse(str(architecture)),
            "its JSON": Architecture.from_json(architecture.to_json()),
            "its text in the space": space.parse(str(architecture)),
            "the notation of the space": space.parse(space.format(architecture)),
        }.items():
            subject.require(
                read == architecture, f"reads {architecture} from {how} as another one: {read}"
            )


def _mutants_and_children_are_members(subject: Subject) -> None:
    space, rng = subject.space, Random(7)
    for _ in range(DRAWS):
        a, b = space.sample(rng), space.sample(rng)
        if space.size > 1:
            mutant = space.mutate(a, rng)
            subject.require_member(mutant, "mutates an architecture to")
            subject.require(mutant != a, f"mutates {a} to itself")
        subject.require_member(space.crossover(a, b, rng), "crosses two architectures to")
        subject.require(space.crossover(a, a, rng) == a, f"crosses {a} with itself to another one")
        for _, neighbour in zip(range(20), space.neighbours(a), strict=False):
            subject.require_member(neighbour, "lists as a neighbour")
            subject.require(neighbour != a, f"lists {a} as a neighbour of itself")


def _samples_are_uniform(subject: Subject) -> None:
    space, rng = subject.space, Random(4)
    if space.size == 1:
        return
    if space.size <= FULLY_COUNTED:
        drawn = Counter(space.sample(rng) for _ in range(20 * int(space.size)))
        _require_by_weight(subject, drawn, dict.fromkeys(space, 1.0), "architecture")
        return
    if space.objection is not None:  # it need not leave as many of each option
        return
    decisions = list(independent_decisions(space.tree))
    flat = [space.flat(space.sample(rng)) for _ in range(1_000)]
    for path, weights in decisions:
        found = Counter(options[path or "value"] for options in flat)
        _require_by_weight(subject, found, weights, f"option of {path}")


def independent_decisions(
    node: Node, path: str = ""
) -> Iterator[tuple[str, Mapping[Scalar, float]]]:
    """The decisions that are independent of all others, with the weight of each option.

    Real numbers are left out, and so is what is below a node of another type.
    """
    match node:
        case Struct():
            for name, field in node.fields.items():
                yield from independent_decisions(field, f"{path}.{name}" if path else name)
        case Extended():
            yield from independent_decisions(node.node, path)
        case Repeat():
            if node.low < node.high:
                lengths = range(node.low, node.high + 1)
                yield f"{path}.length", {n: node.item.weight**n for n in lengths}
            for i in range(node.low):
                yield from independent_decisions(node.item, f"{path}[{i}]")
        case Integer() if node.size > 1:
            yield path, dict.fromkeys(node, 1)
        case Choice():
            weights = [o.weight if isinstance(o, Node) else 1 for o in node.options]
            if len(weights) > 1:
                shown = [o if isinstance(o, Scalar) else label(o) for o in node.options]
                yield path, dict(zip(shown, weights, strict=True))
            weight, heaviest = max(zip(weights, node.options, strict=True), key=lambda w: w[0])
            if isinstance(heaviest, Node) and weight > sum(weights) * (1 - 1e-9):
                yield from independent_decisions(heaviest, path)  # hardly any other is drawn


def _require_by_weight(
    subject: Subject, drawn: Mapping[Any, int], weights: Mapping[Any, float], what: str
) -> None:
    """Refuse the space unless options are drawn by weight; those that are rare count as one."""
    from scipy.stats import chisquare

    count, total = sum(drawn.values()), sum(weights.values())
    unknown = drawn.keys() - weights.keys()
    subject.require(not unknown, f"samples an {what} that its tree does not list: {unknown}")
    observed: defaultdict[Any, float] = defaultdict(float)
    expected: defaultdict[Any, float] = defaultdict(float)
    for option, weight in weights.items():
        share = count * weight / total
        key = option if share >= 5 else RARE
        observed[key] += drawn.get(option, 0)
        expected[key] += share
    if len(observed) > 1:
        bins = [[counts[key] for key in observed] for counts in (observed, expected)]
        p = chisquare(*bins).pvalue
        subject.require(
            p > LEAST_P, f"does not sample uniformly: each {what} by weight (p = {p:.1g})"
        )


def _decisions_are_listed_alike(subject: Subject) -> None:
    space, rng = subject.space, Random(5)
    samples = [space.sample(rng) for _ in range(DRAWS)]
    for architecture in (samples[0], *space.known.values()):
        value = architecture.value
        listed = list(space.tree.decisions(value))
        count = space.tree.count(value)
        subject.require(
            count == len(listed),
            f"counts {count} decisions of {architecture} and lists {len(listed)}",
        )
        for number, decision in enumerate(listed[:50]):
            taken = space.tree.resample(value, number, Random(number))
            subject.require(
                taken == decision.resample(Random(number)) != value,
                f"resamples decision {number} ({decision.path}) of {architecture} otherwise than "
                f"it is listed",
            )
    for architecture in samples:
        answers = {(d.path, d.node): d.answer for d in space.tree.decisions(architecture.value)}
        built = space.tree.decide(lambda q: answers[q.path, q.node])  # noqa: B023 - called here
        subject.require(
            built == architecture.value,
            f"builds {built} from the answers of {architecture}",
        )


def _published_architectures_are_members(subject: Subject) -> None:
    for name, architecture in subject.space.known.items():
        subject.require_member(architecture, f"publishes {name},")
        subject.require(
            subject.space.parse(name) == architecture, f"does not parse {name}, which it publishes"
        )


def _canonical_forms_are_repeatable(subject: Subject) -> None:
    space, rng = subject.space, Random(2)
    for architecture in (space.sample(rng) for _ in range(20)):
        form = space.canonical(architecture)
        again = space.canonical(space.parse(str(architecture)))
        subject.require(
            form == again and hash(form) == hash(again),
            f"gives {architecture} another canonical form a second time",
        )


def _simplified_architectures_are_simple(subject: Subject) -> None:
    space, rng = subject.space, Random(3)
    for architecture in (space.sample(rng) for _ in range(20)):
        simple = space.simplified(architecture)
        if simple is None:
            continue
        subject.require_member(simple, f"simplifies {architecture} to")
        subject.require(
            space.simplified(simple) == simple, f"simplifies {architecture} further a second time"
        )


def _size_is_the_number_of_architectures(subject: Subject) -> None:
    if subject.space.size <= ENUMERABLE:
        count = len(set(subject.space))
        subject.require(
            count == subject.space.size,
            f"says that its size is {subject.space.size} and enumerates {count} architectures",
        )


def _limits_are_met(subject: Subject) -> None:
    space, task, rng = subject.space, subject.usual_task, Random(3)
    drawn = sorted(space.parameters_of_member(space.sample(rng), task) for _ in range(200))
    most = drawn[4]
    feasible = Feasible(space, task, [Bound(name="parameters", high=most)])
    a, b = feasible.sample(rng), feasible.sample(rng)
    for _ in range(20):
        if space.size > 1:
            a = feasible.mutate(a, rng)
        b = feasible.crossover(feasible.sample(rng), b, rng)
        found = max(feasible.cost(a).parameters, feasible.cost(b).parameters)
        subject.require(found <= most, f"draws {found} parameters where {most} are the limit")
    if min(drawn) > 1:
        _require_refusal(
            subject,
            lambda: Feasible(space, task, [Bound(name="parameters", high=1)]),
            "the nearest has",
            "finds architectures of at most 1 parameter",
        )


def _other_inputs_are_refused(subject: Subject) -> None:
    space = subject.space
    for axes in {1, 2, 3} - set(space.inputs):
        task = Task(SHAPES[axes][1], outputs=3)
        _require_refusal(
            subject,
            lambda task=task: space.compile(space.sample(Random(0)), task),  # type: ignore[misc]
            f"{space.name} is for",
            f"compiles a network for inputs of shape {task.input_shape}",
        )
    if 3 in space.inputs:
        task = Task(SHAPES[3][1], outputs=3, dense=not space.dense)
        _require_refusal(
            subject,
            lambda: space.compile(space.sample(Random(0)), task),
            "the task has one per",
            f"compiles a network for a task that is {'' if task.dense else 'not '}dense",
        )


def _require_refusal(
    subject: Subject, deed: Callable[[], object], message: str, breach: str
) -> None:
    try:
        deed()
    except ValueError as error:
        subject.require(message in str(error), f"refuses by {error}: want {message!r}")
    else:
        subject.require(False, breach)


def _networks_learn(subject: Subject) -> None:
    import torch

    space, rng = subject.space, Random(0)
    for task in subject.tasks:
        shape = task.input_shape
        learns = max(shape) <= LONG_SIDE  # too slow to learn on here: look at the logits
        for _ in range(2 if learns else 1):
            architecture = subject.small(task, rng)
            net = space.compile(architecture, task).train(learns)
            batch = 2 if learns else 1
            with torch.set_grad_enabled(learns):
                logits = net(torch.rand(batch, *shape))
            pixels = shape[1:] if task.dense else ()  # of a dense task, which has logits for each
            subject.require(
                logits.shape == (batch, task.outputs, *pixels),
                f"compiles {architecture} to a network whose logits have the shape "
                f"{tuple(logits.shape)} for inputs {(batch, *shape)}: want "
                f"{(batch, task.outputs, *pixels)}",
            )
            if not learns:
                continue
            labels = torch.arange(batch * prod(pixels)).view(batch, *pixels) % task.outputs
            loss = torch.nn.functional.cross_entropy(logits, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            gradients = [p.grad for p in net.parameters() if p.grad is not None]
            subject.require(
                bool(gradients) and all(bool(g.isfinite().all()) for g in gradients),
                f"compiles {architecture} to a network without finite gradients for inputs "
                f"{(batch, *shape)}",
            )


def _mixed_network_learns(subject: Subject) -> None:
    import torch

    space, rng, relaxation = subject.space, Random(3), subject.space.relaxation
    if relaxation is None:
        return
    drawn = {
        name: [[rng.random() for _ in relaxation.operations] for _ in edges]
        for name, edges in relaxation.cells.items()
    }
    ranked = list(islice(relaxation.by_probability(drawn), DRAWS))
    for value in ranked:
        try:
            space.architecture(value)
        except ValueError as error:
            subject.require(False, f"relaxes to {value}, which is no member of it: {error}")
    task = min(subject.tasks, key=lambda task: prod(task.input_shape))
    weights = {name: torch.tensor(rows, requires_grad=True) for name, rows in drawn.items()}
    logits = relaxation.build(task, 1)(torch.rand(2, *task.input_shape), weights)
    subject.require(
        logits.shape == (2, task.outputs),
        f"has a mixed network whose logits have the shape {tuple(logits.shape)}: want "
        f"{(2, task.outputs)}",
    )
    logits.square().sum().backward()
    for name, tensor in weights.items():
        subject.require(
            tensor.grad is not None and bool(tensor.grad.isfinite().all()),
            f"has a mixed network without finite gradients of the weights of {name}",
        )


def _costs_are_those_of_the_network(subject: Subject) -> None:
    from search_spaces.cost.measure import measure

    space, rng = subject.space, Random(1)
    for number, task in enumerate(subject.tasks):
        for _ in range(3 if number < 2 else 1):
            architecture = space.sample(rng)
            seen = measure(lambda a=architecture, t=task: space.build(a, t), task.input_shape)  # type: ignore[misc]
            told = space.cost(architecture, task)
            subject.require(
                told == seen,
                f"counts {told} for {architecture} and inputs {task.input_shape}, whose network "
                f"has {seen}",
            )
            alone = space.parameters_of_member(architecture, task)
            subject.require(
                alone == told.parameters,
                f"counts {told.parameters} parameters of {architecture}, and {alone} of them alone",
            )
    architecture = subject.small(task, rng)
    held = sum(p.numel() for p in space.compile(architecture, task).parameters())
    told_parameters = space.cost(architecture, task).parameters
    subject.require(
        held == told_parameters,
        f"counts {told_parameters} parameters of {architecture}, which has {held}",
    )


CLAUSES = (
    _text_round_trips,
    _mutants_and_children_are_members,
    _samples_are_uniform,
    _decisions_are_listed_alike,
    _published_architectures_are_members,
    _canonical_forms_are_repeatable,
    _simplified_architectures_are_simple,
    _size_is_the_number_of_architectures,
)
CLAUSES_OF_NETWORKS = (
    _limits_are_met,
    _other_inputs_are_refused,
    _networks_learn,
    _mixed_network_learns,
    _costs_are_those_of_the_network,
)
