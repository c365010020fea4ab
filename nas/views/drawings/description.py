"""Description of an architecture for drawings, common to all search spaces.

Cells come from the space (`SearchSpace.cells` or `graph`), stages from the network itself, and
decisions from the tree, so that a new space is drawn without an edit here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nas.analysis.changes import Change, differences
from nas.views.drawings.stages import Stage, stages_of
from search_spaces import Architecture, Cost, SearchSpace, Task
from search_spaces.dag import Dag
from search_spaces.tree.values import Value

if TYPE_CHECKING:
    from search_spaces.cost.layer_profile import LayerProfile


@dataclass(frozen=True, slots=True)
class Cell:
    """A graph, with the vertices and edges that the parent lacks, and those that are dead."""

    name: str
    dag: Dag
    new_vertices: frozenset[int] = frozenset()
    new_edges: frozenset[int] = frozenset()  # indices of `dag.edges`
    dead_edges: frozenset[int] = frozenset()  # that change the output by a constant at most

    @property
    def dead_vertices(self) -> frozenset[int]:
        """The vertices between the inputs and the output that have dead edges alone."""
        live = {
            i for n, edge in enumerate(self.dag.edges) if n not in self.dead_edges for i in edge[:2]
        }
        dead = {i for n in self.dead_edges for i in self.dag.edges[n][:2]}
        ends = {0, len(self.dag.labels) - 1}
        return frozenset(dead - live - ends)

    @property
    def names(self) -> list[str]:
        """The labels of the vertices; equal labels are numbered."""
        count = Counter(self.dag.labels)
        return [
            f"{label} #{i}" if count[label] > 1 else label
            for i, label in enumerate(self.dag.labels)
        ]


@dataclass(frozen=True, slots=True)
class Drawing:
    """An architecture as data for a drawing."""

    title: str
    value: Value  # value of the decision tree
    cells: tuple[Cell, ...]  # empty for spaces without cells
    stages: tuple[Stage, ...]  # empty if the network cannot be profiled
    cost: Cost | None  # None if the network cannot be profiled
    changes: tuple[Change, ...] = ()  # differences to the parent


def describe(
    space: SearchSpace,
    architecture: Architecture,
    task: Task | None,
    *,
    title: str = "",
    parent: Architecture | None = None,
) -> Drawing:
    """Describe an architecture.

    The stages and the cost of a network that cannot be built or run are omitted.

    Args:
        space: The search space.
        architecture: The architecture.
        task: The task of the network; None if it is not known.
        title: A title; the notation of the architecture by default.
        parent: An architecture; the differences to it are marked.
    """
    profile = _profile(space, architecture, task)
    before = None if parent is None else _profile(space, parent, task)
    return Drawing(
        title=title or space.format(architecture),
        value=architecture.value,
        cells=_cells(space, architecture, parent),
        stages=() if profile is None else stages_of(profile, before),
        cost=None if profile is None or task is None else space.cost(architecture, task),
        changes=() if parent is None else differences(space.flat(parent), space.flat(architecture)),
    )


def _profile(
    space: SearchSpace, architecture: Architecture, task: Task | None
) -> LayerProfile | None:
    from search_spaces.cost.layer_profile import profile_network

    build = space.build
    if build is None or task is None:
        return None
    try:
        return profile_network(lambda: build(architecture, task), task.input_shape)
    except Exception:  # a user's space may build a network that does not run
        return None


def _cells(
    space: SearchSpace, architecture: Architecture, parent: Architecture | None
) -> tuple[Cell, ...]:
    drawn = _graphs(space, architecture)
    before = {} if parent is None else _graphs(space, parent)
    dead = {name: _dead_edges(space, architecture, name, dag) for name, dag in drawn.items()}
    return tuple(
        replace(_cell(name, dag, before.get(name)), dead_edges=dead[name])
        for name, dag in drawn.items()
    )


def _graphs(space: SearchSpace, architecture: Architecture) -> Mapping[str, Dag]:
    if space.cells is not None:
        return space.cells(architecture)
    return {} if space.graph is None else {"graph": space.graph(architecture)}


def _dead_edges(
    space: SearchSpace, architecture: Architecture, name: str, dag: Dag
) -> frozenset[int]:
    """The edges of a cell that the simplified architecture lacks."""
    if space.simplify is None or space.cells is None:
        return frozenset()
    simple = space.simplified(architecture)
    live = set() if simple is None else set(space.cells(simple)[name].edges)
    return frozenset(n for n, edge in enumerate(dag.edges) if edge not in live)


def _cell(name: str, dag: Dag, before: Dag | None) -> Cell:
    if before is None:
        return Cell(name, dag)
    old = Counter((before.labels[i], before.labels[j], op) for i, j, op in before.edges)
    new_edges = set()
    for index, (i, j, op) in enumerate(dag.edges):
        key = dag.labels[i], dag.labels[j], op
        if old[key]:
            old[key] -= 1
        else:
            new_edges.add(index)
    labels = Counter(before.labels)
    new_vertices = set()
    for vertex, label in enumerate(dag.labels):
        if labels[label]:
            labels[label] -= 1
        else:
            new_vertices.add(vertex)
    return Cell(name, dag, frozenset(new_vertices), frozenset(new_edges))
