"""The modules that the networks of a space share in a supernet, and how a user's space says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from search_spaces.architecture import Architecture
from search_spaces.task import Task
from search_spaces.tree import Node, Question
from search_spaces.tree.node import Answer
from search_spaces.tree.values import Value

if TYPE_CHECKING:
    from torch import nn


class Shared(NamedTuple):
    """A module of the network of an architecture, and the key of its weights in a supernet.

    Modules with the same key have the same weights, in whatever network and place they are. If their
    sizes differ, the weights are as large as the largest, and the others are cut out of them.

    Attributes:
        key: The meaning of the module, such as "stage 2, edge 0->1, nor_conv_3x3".
        prefix: The name of the module in its network, such as "stages.2.edges.0_1".
        blocks: Tensors, by their names in the module, whose first axis consists of so many blocks,
            each of which is cut by itself: three for the queries, keys and values of an attention.
    """

    key: str
    prefix: str
    blocks: Mapping[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """The modules that the networks of a space share in a supernet.

    Attributes:
        modules: The shared modules of the network of an architecture; a ValueError for one that is in
            no supernet. Everything in none of them is known by its name.
        members: Values of architectures that together have all shared modules, each in its largest
            size. By default values that together take every answer to every decision, the published
            ones and random ones.
    """

    modules: Callable[[Architecture], Sequence[Shared]]
    members: Sequence[Value] = ()


Keys = Callable[[Architecture], Mapping[str, str]]  # from names of modules to keys


@dataclass(frozen=True)
class SharingBuild:
    """A builder of networks that says which modules they share in a supernet; see `shares`."""

    build: Callable[[Architecture, Task], nn.Module]
    keys: Keys

    def __call__(self, architecture: Architecture, task: Task) -> nn.Module:
        return self.build(architecture, task)

    @property
    def sharing(self) -> Sharing:
        """The shared modules of its networks."""
        return Sharing(modules=self._modules)

    def _modules(self, architecture: Architecture) -> list[Shared]:
        return [Shared(key, prefix) for prefix, key in self.keys(architecture).items()]


def shares(keys: Keys) -> Callable[[Callable[[Architecture, Task], nn.Module]], SharingBuild]:
    """Say which modules the networks of a builder share in a supernet.

        def keys(architecture):
            return {f"edges.{edge}": f"{edge} {op}" for edge, op in architecture.value.items()}

        @shares(keys)
        def build(architecture, task): ...

    Args:
        keys: Maps an architecture to the keys of the modules of its network, by their names in it.
            Modules with equal keys have the same weights in all networks; everything in none of
            them is known by its name.
    """
    return lambda build: SharingBuild(build, keys)


def extremes(tree: Node) -> Iterator[Value]:
    """Values of a tree that together take every answer to every decision.

    The first has the last answer everywhere, each other one differs from it in one decision and in
    those on which that depends.
    """
    waiting: list[dict[str, Answer]] = [{}]
    seen: set[str] = set()
    while waiting:
        forced = waiting.pop(0)
        asked: list[Question] = []

        def choose(question: Question, forced: dict[str, Answer] = forced) -> Answer:
            asked.append(question)  # noqa: B023 - called in this round only
            return forced.get(question.path, _answers(question)[-1])

        yield tree.decide(choose)
        for question in asked:
            if question.path not in seen:
                seen.add(question.path)
                others = _answers(question)[:-1]
                waiting += [{**forced, question.path: answer} for answer in others]


def _answers(question: Question) -> Sequence[Answer]:
    """All answers to a question; both ends of the range of a real number."""
    return range(len(question.weights)) if question.weights else (0.0, 1.0)
