"""Draw the structure of the toolkit: its rooms, and which room imports which.

    python scripts/structure.py                       # a table
    python scripts/structure.py --to structure.svg    # and a picture

Rooms are the folders of the three packages. An arrow is an import at run time, late ones included;
imports for type checkers alone are left out.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_spaces", "trainers", "nas")


def modules(root: Path = ROOT) -> dict[str, Path]:
    """The modules of all packages, by dotted name."""
    files = (path for package in PACKAGES for path in sorted((root / package).rglob("*.py")))
    return {name_of(path, root): path for path in files}


def name_of(path: Path, root: Path = ROOT) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The room of a module: its package and first folder, or the package and the file itself."""
    return ".".join(module.split(".")[:2])


def imported(path: Path, *, runtime: bool = False, late: bool = True) -> set[str]:
    """The names that a module imports, each with its module.

    Args:
        path: The file.
        runtime: Leave out imports for type checkers.
        late: Include imports inside functions.
    """
    names: set[str] = set()

    def visit(nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif runtime and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                visit(node.orelse)
            elif late or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                visit(ast.iter_child_nodes(node))

    visit(ast.parse(path.read_text()).body)
    return names


def resolve(name: str, known: Iterable[str]) -> str:
    """The module that `name` is, or is in."""
    return name if name in known else name.rpartition(".")[0]


def room_imports(root: Path = ROOT) -> dict[str, set[str]]:
    """The rooms that each room imports."""
    known = modules(root)
    found: dict[str, set[str]] = {room_of(module): set() for module in known}
    for module, path in known.items():
        names = {resolve(name, known) for name in imported(path, runtime=True)} & known.keys()
        found[room_of(module)] |= {room_of(name) for name in names} - {room_of(module)}
    return found


def layers(graph: dict[str, set[str]]) -> list[list[str]]:
    """The rooms in layers: each imports rooms of earlier layers only.

    Raises:
        ValueError: there is a circle; names its rooms.
    """
    done: set[str] = set()
    found: list[list[str]] = []
    while len(done) < len(graph):
        ready = sorted(room for room in graph if room not in done and graph[room] <= done)
        if not ready:
            raise ValueError(f"a circle among {', '.join(sorted(graph.keys() - done))}")
        found.append(ready)
        done |= set(ready)
    return found


def main() -> None:
    """Print the rooms in layers; draw them if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, help="file of the picture: .svg or .png")
    arguments = parser.parse_args()
    graph, sizes = room_imports(), defaultdict(list)
    for module, path in modules().items():
        sizes[room_of(module)].append(len(path.read_text().splitlines()))
    below = layers(graph)
    print(f"{'room':<30}{'files':>6}{'lines':>7}  imports")
    for layer in below:
        for room in layer:
            print(f"{room:<30}{len(sizes[room]):>6}{sum(sizes[room]):>7}  {_direct(graph, room)}")
    if arguments.to is not None:
        draw(graph, below, arguments.to)


def _direct(graph: dict[str, set[str]], room: str) -> str:
    return " ".join(sorted(graph[room]))


def draw(graph: dict[str, set[str]], below: list[list[str]], to: Path) -> None:
    """Draw the rooms of `nas` with an arrow for each import that no other arrow implies."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    rooms = [room for layer in below for room in layer if room.startswith("nas.")]
    rooms = [room for room in rooms if (ROOT / room.replace(".", "/")).is_dir()]
    level: dict[str, int] = {}
    for room in rooms:
        level[room] = 1 + max((level[o] for o in graph[room] & level.keys()), default=-1)
    columns: dict[int, list[str]] = defaultdict(list)
    for room in rooms:
        columns[level[room]].append(room)
    at = {
        room: (level[room], place - (len(column) - 1) / 2)
        for column in columns.values()
        for place, room in enumerate(column)
    }
    figure, axes = pyplot.subplots(figsize=(14, 3))
    axes.axis("off")
    for room in rooms:
        reached = graph[room] & at.keys()
        implied = {far for near in reached for far in _all_below(graph, near)}
        for other in reached - implied:
            axes.annotate(
                "",
                xy=at[other],
                xytext=at[room],
                arrowprops={"arrowstyle": "->", "color": "0.6", "shrinkA": 22, "shrinkB": 22},
            )
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "0.3"}
        name = room.removeprefix("nas.")
        axes.text(*at[room], name, ha="center", va="center", bbox=box, zorder=10)
    axes.set_xlim(-0.6, max(columns) + 0.6)
    axes.set_ylim(-1.5, 1.5)
    figure.savefig(to, bbox_inches="tight")


def _all_below(graph: dict[str, set[str]], room: str) -> set[str]:
    return graph[room] | {far for near in graph[room] for far in _all_below(graph, near)}


if __name__ == "__main__":
    main()
