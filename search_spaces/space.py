"""A search space: a name, a tree of decisions, and the networks of its architectures."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from search_spaces.architecture import NAME, Architecture
from search_spaces.cost.walk import FLOAT_BYTES, Cost
from search_spaces.dag import Dag
from search_spaces.inheritance import Part
from search_spaces.sharing import Shared, Sharing, SharingBuild
from search_spaces.task import KINDS, Task
from search_spaces.tree import Node
from search_spaces.tree.relaxation import Relaxation
from search_spaces.tree.values import Scalar, Value

if TYPE_CHECKING:
    from torch import nn

    from search_spaces.cost.parts import PartsCounter
    from search_spaces.cost.templates import Templates

_MORE = 0.25  # probability that a step of a random walk resamples one more part
_DRAWS = 10_000  # most draws until a member of a space with an objection is found
MOST_PARAMETERS = 10**10  # 40 GB: a larger network is counted, but never built
_MEMORY_SHARE = 0.5  # most of the memory of the machine that weights may take


def _most_parameters() -> int:
    """Most parameters that `compile` builds on this machine."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # the system does not report it
        return MOST_PARAMETERS
    return min(MOST_PARAMETERS, int(_MEMORY_SHARE * memory) // FLOAT_BYTES)


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchSpace:
    """The architectures that may be built, and how: a tree of decisions and a builder.

    Args:
        name: Lower-case letters, digits and underscores; part of the text of every architecture.
        tree: The decisions.
        build: Makes the network of an architecture for a task. Called with checked input only. None
            for a space without networks, whose architectures only an evaluator can read.
        inputs: Accepted numbers of axes of one input: 1 vectors, 2 sequences, 3 images.
        dense: True for networks with outputs for each pixel, (batch, outputs, H, W), for tasks
            that are `dense`.
        source: The paper, for listings.
        settings: Arguments that the space was made with (`search_spaces.get(name, **settings)`).
        objection: A constraint that a tree cannot express: the reason why a value of the tree is
            not a member of the space, in one line, or None for a member. All operations keep to
            members.
        canonical_form: Equal for architectures that compute the same function, whatever the
            weights; by default the value.
        simplify: Removes the dead parts of an architecture, which do not reach the output or do not
            depend on the input; at most a constant is missing in the result. None where nothing is
            left. By default nothing is dead.
        graph: For a space of graphs, such as cells: the function of an architecture as labelled
            vertices and edges, whatever their numbering. By it a model of scores recognises
            architectures that have paths in common, even if they differ in every decision.
        cells: For a space of cells: each by its name, as drawn in the literature, from the inputs
            (first vertices) to the output (the last). For pictures; by default `graph` is drawn.
        read: Parses the literature's notation to a value of the tree, or raises ValueError.
        write: The inverse of `read`.
        published: Values of published architectures by name.
        count: The cost in closed form; by default networks are built on the meta device, and
            modules of equal class, attributes and input are counted once.
        parts: The parts of the network of an architecture by which another architecture inherits
            their weights; by default tensors are known by their names (`search_spaces.inheritance`).
        count_parameters: The parameters alone, where they take less time than `count`, or than a
            network on the meta device.
        sharing: The modules that its networks share in a supernet. By default those that the builder
            says (`search_spaces.sharing.shares`); None for a space without supernets.
        relaxation: The continuous relaxation, for differentiable strategies; None for none.

    Examples:
        >>> from random import Random
        >>> from torch import nn
        >>> from search_spaces import Choice, Integer, SearchSpace, Struct, Task
        >>> def build(architecture, task):
        ...     inputs, width = task.input_shape[0], architecture["width"]
        ...     hidden = [nn.Linear(inputs, width), getattr(nn, architecture["activation"])()]
        ...     return nn.Sequential(*hidden, nn.Linear(width, task.outputs))
        >>> space = SearchSpace(
        ...     name="mine",
        ...     tree=Struct(width=Integer(4, 16, step=4), activation=Choice("ReLU", "GELU")),
        ...     build=build,
        ...     inputs=(1,),
        ... )
        >>> a = space.architecture({"width": 8, "activation": "GELU"})
        >>> space.cost(a, Task((4,), 3)).parameters
        67
        >>> len(list(space.neighbours(a)))
        3
    """

    name: str
    tree: Node
    build: Callable[[Architecture, Task], nn.Module] | None = None
    inputs: tuple[int, ...] = (3,)
    dense: bool = False
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    objection: Callable[[Architecture], str | None] | None = None
    canonical_form: Callable[[Architecture], Hashable] | None = None
    simplify: Callable[[Architecture], Architecture | None] | None = None
    graph: Callable[[Architecture], Dag] | None = None
    cells: Callable[[Architecture], Mapping[str, Dag]] | None = None
    read: Callable[[str], object] | None = None
    write: Callable[[Architecture], str] | None = None
    published: Mapping[str, object] = field(default_factory=dict)
    count: Callable[[Architecture, Task], Cost] | None = None
    count_parameters: Callable[[Architecture, Task], int] | None = None
    parts: Callable[[Architecture], Sequence[Part]] | None = None
    sharing: Sharing | None = None
    relaxation: Relaxation | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"want a name such as my_space for a search space, got {self.name!r}")
        if self.sharing is None and isinstance(self.build, SharingBuild):
            object.__setattr__(self, "sharing", self.build.sharing)

    # -- members -----------------------------------------------------------------------------

    @cached_property
    def size(self) -> int | float:
        """Exact number of architectures; `math.inf` with real numbers.

        A finite space with an objection is enumerated once to count it.
        """
        if self.objection is None or self.tree.size == inf:
            return self.tree.size
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Architecture]:
        """Every architecture once, in a fixed order."""
        return filter(self._is_member, map(self._wrap, self.tree))

    def __contains__(self, architecture: Architecture) -> bool:
        try:
            self.check(architecture)
        except ValueError:
            return False
        return True

    def check(self, architecture: Architecture) -> Architecture:
        """Validate `architecture` and return it in the normal form of this space.

        Raises:
            ValueError: it is not of this space; says where, and what was wanted and got.
        """
        if architecture.space != self.name:
            raise ValueError(
                f"want an architecture of {self.name}, got one of {architecture.space!r}"
            )
        member = self.architecture(architecture.value)
        return architecture if member == architecture else member

    def architecture(self, value: object) -> Architecture:
        """The architecture with this value, in which dicts and lists are accepted.

        Raises:
            ValueError: there is none; says where, and what was wanted and got.
        """
        architecture = self._wrap(self.tree.check(value))
        if self.objection is not None and (why := self.objection(architecture)):
            raise ValueError(f"not an architecture of {self.name}: {why}")
        return architecture

    @cached_property
    def known(self) -> dict[str, Architecture]:
        """Published architectures by name, as baselines and to start from."""
        return {name: self.architecture(value) for name, value in self.published.items()}

    def canonical(self, architecture: Architecture) -> Hashable:
        """Equal for architectures that compute the same function: train only one of them."""
        if self.canonical_form is None:
            value: Hashable = architecture.value
            return value
        form: Hashable = self.canonical_form(architecture)
        return form

    def simplified(self, architecture: Architecture) -> Architecture | None:
        """The architecture without dead parts: the same function up to a constant; None for a constant."""
        return architecture if self.simplify is None else self.simplify(architecture)

    def flat(self, architecture: Architecture) -> dict[str, Scalar]:
        """The active decisions as `path -> option`, for logs, importance and encodings."""
        return self.tree.flat(architecture.value)

    # -- sampling -----------------------------------------------------------------------------

    def sample(self, rng: Random) -> Architecture:
        """Draw one architecture uniformly."""
        return self._first_member(lambda: self.tree.sample(rng))

    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        """Draw an architecture that differs in one decision.

        After a hundred draws that are no members, two decisions change, then three, ...

        Raises:
            ValueError: the space has a single architecture, or none was found.
        """
        for attempt in range(_DRAWS):
            value = architecture.value
            for _ in range(1 + attempt // 100):
                value = self.tree.mutate(value, rng)
            mutant = self._wrap(value)
            if mutant != architecture and self._is_member(mutant):
                return mutant
        raise ValueError(f"no architecture of {self.name} was found near {architecture}")

    def crossover(self, a: Architecture, b: Architecture, rng: Random) -> Architecture:
        """Draw an architecture that takes each decision from `a` or from `b`; `a` if none is found."""
        for _ in range(20):
            child = self._wrap(self.tree.crossover(a.value, b.value, rng))
            if self._is_member(child):
                return child
        return a

    def walk_step(self, architecture: Architecture, rng: Random) -> Architecture:
        """Take a step of a random walk with a uniform stationary distribution.

        Most steps resample one or two parts, any number is possible, and some change nothing.
        """
        value = self.tree.walk_step(architecture.value, rng)
        while rng.random() < _MORE:
            value = self.tree.walk_step(value, rng)
        other = self._wrap(value)
        return other if self._is_member(other) else architecture

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """All architectures that differ in one decision; ordinal decisions move one step."""
        values = self.tree.neighbours(architecture.value)
        return filter(self._is_member, map(self._wrap, values))

    # -- text --------------------------------------------------------------------------------

    def parse(self, text: str) -> Architecture:
        """Parse a known name, `str(architecture)`, its JSON, or the literature's notation.

        Raises:
            ValueError: the text is none of these; says what was wanted and got.
        """
        text = text.strip()
        if text in self.published:
            return self.known[text]
        prefix = f"{self.name}:"
        if text.startswith(prefix):
            return self.check(Architecture.parse(text))
        if self.read is not None:
            return self.architecture(self.read(text))
        if not text.startswith(("{", "[")):
            names = ", ".join([*self.published, f"{prefix}..."])
            raise ValueError(f"want an architecture of {self.name} ({names}), got {text[:60]!r}")
        return self.check(Architecture.parse(prefix + text))

    def format(self, architecture: Architecture) -> str:
        """The literature's notation if there is one, otherwise `str(architecture)`; `parse` reads both."""
        return str(architecture) if self.write is None else self.write(architecture)

    # -- networks ----------------------------------------------------------------------------

    def compile(self, architecture: Architecture, task: Task) -> nn.Module:
        """Build the network; its weights come from torch's global generator.

        Returns:
            A module from inputs (batch, *task.input_shape) to logits (batch, task.outputs).

        Raises:
            ValueError: the architecture is not of this space, its networks do not take such
                inputs, or it has over 10^10 parameters or more than half of the memory of this
                machine can hold; then nothing is allocated.
        """
        self.check_task(task)
        member = self.check(architecture)
        try:
            parameters = self.parameters_of_member(member, task)
        except (RuntimeError, OverflowError) as error:  # sizes beyond 64 bits
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"the network of {self.name} cannot be built: {reason}") from error
        if parameters > (most := _most_parameters()):
            raise ValueError(
                f"want a network of at most {most:,} parameters on this machine, got one of "
                f"{parameters:,}; it is not built"
            )
        return self._build(member, task)

    def outline(self, architecture: Architecture, task: Task) -> nn.Module:
        """The network of a member on the meta device, without weights: its layers and shapes."""
        with self._templates.used():
            return self._build(architecture, task)

    def shared_modules(self, architecture: Architecture) -> Sequence[Shared]:
        """The modules of the network of a member that a supernet shares.

        Raises:
            ValueError: the space has no supernets, or the architecture is in none.
        """
        return self.require_sharing().modules(architecture)

    def require_sharing(self) -> Sharing:
        """The modules that its networks share.

        Raises:
            ValueError: the space has no supernets.
        """
        if self.sharing is None:
            raise ValueError(
                f"{self.name} has no supernet: want a space that says which modules its networks share"
            )
        return self.sharing

    def cost(self, architecture: Architecture, task: Task) -> Cost:
        """Parameters, MACs and peak activation memory, without allocating weights.

        Raises:
            ValueError: as for `compile`.
        """
        self.check_task(task)
        return self.cost_of_member(self.check(architecture), task)

    def cost_of_member(self, architecture: Architecture, task: Task) -> Cost:
        """The `cost` of an architecture that this space made: nothing is checked."""
        if self.count is not None:
            return self.count(architecture, task)
        return self._parts.count(lambda: self._build(architecture, task), task.input_shape)

    def parameters_of_member(self, architecture: Architecture, task: Task) -> int:
        """The parameters alone, which take less time where costs have no closed form."""
        if self.count_parameters is not None:
            return self.count_parameters(architecture, task)
        if self.count is not None:
            return self.count(architecture, task).parameters
        return self._parts.count_parameters(lambda: self._build(architecture, task))

    @cached_property
    def _templates(self) -> Templates:
        from search_spaces.cost.templates import Templates  # without what counting imports

        return Templates()

    @cached_property
    def _parts(self) -> PartsCounter:
        from search_spaces.cost.parts import PartsCounter

        return PartsCounter(self.name)

    def check_task(self, task: Task) -> None:
        """Refuse a task of another kind.

        Raises:
            ValueError: the networks of this space do not take such inputs.
        """
        if len(task.input_shape) not in self.inputs:
            wanted = " or ".join(KINDS[axes] for axes in self.inputs)
            raise ValueError(f"{self.name} is for {wanted}, got input shape {task.input_shape}")
        if self.dense and not task.dense:
            raise ValueError(
                f"{self.name} gives one output per pixel; the task has one per example"
            )
        if task.dense and not self.dense:
            raise ValueError(
                f"{self.name} gives one output per example; the task has one per pixel"
            )

    def _build(self, architecture: Architecture, task: Task) -> nn.Module:
        if self.build is None:
            raise ValueError(f"the architectures of {self.name} have no networks: it has no build")
        return self.build(architecture, task)

    def _wrap(self, value: Value) -> Architecture:
        return Architecture(self.name, value)

    def _is_member(self, architecture: Architecture) -> bool:
        return self.objection is None or self.objection(architecture) is None

    def _first_member(self, draw: Callable[[], Value]) -> Architecture:
        for _ in range(_DRAWS):
            architecture = self._wrap(draw())
            if self._is_member(architecture):
                return architecture
        raise ValueError(f"none of {_DRAWS} draws is a member of {self.name}: see its objection")
