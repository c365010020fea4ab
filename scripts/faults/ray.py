"""A Ray cluster of two nodes on this machine, of which one is killed in the middle of a search.

The search must end with every trial done, and be the one that a single process makes. Trials of
the dead node are run again by Ray, on the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fault_targets
import processes
import ray_nodes

from faults import Finding
from nas.executors import ResourceLimits

STRATEGIES = ("random", "evolution", "halving")


def run(*, quick: bool, folder: Path) -> Finding:
    """Search on two nodes, and on one of them from the middle on."""
    lines: list[str] = []
    wrong: list[str] = []
    cases = [("table", strategy, 80) for strategy in (("halving",) if quick else STRATEGIES)]
    if not quick:
        cases += [("training", strategy, 24) for strategy in STRATEGIES]
    for kind, strategy, trials in cases:
        name = f"{kind}, {strategy}"
        reference = fault_targets.run_to_the_end(folder / f"{name}, alone", kind, strategy, trials)
        line, same, left = _search(
            folder / f"{name}, on two nodes", kind, strategy, trials, reference
        )
        lines.append(f"{name}: {line}")
        if not same:
            wrong.append(f"{name}: not the search of a single process")
        if left:
            wrong.append(f"{name}: processes {left} are left")
    return Finding(held=not wrong, lines=(*lines, *wrong))


def _search(
    folder: Path, kind: str, strategy: str, trials: int, reference: list[dict[str, Any]]
) -> tuple[str, bool, list[int]]:
    told = 0
    seen: set[int] = set()
    with ray_nodes.two_nodes() as (cluster, second):
        terms = ResourceLimits(workers=2, address=cluster.address)
        for _ in fault_targets.SEARCHES[kind](folder, strategy, trials, 0, "ray", terms):
            told += 1
            seen |= set(_workers_of_ray())
            if told == trials // 2:
                cluster.remove_node(second, allow_graceful=False)
    left = processes.left_of(seen, seconds=10)
    same = fault_targets.decided(folder) == reference
    line = f"{told} of {trials} trials done, one of two nodes killed after {trials // 2}"
    return f"{line}; {'the same' if same else 'NOT the same'} search", same, left


def _workers_of_ray() -> list[int]:
    """Our workers whose parents are processes of Ray's."""
    everything = (int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal())
    ours = [pid for pid in everything if b"worker.main" in processes.command_line(pid)]
    return [p for p in ours if processes.command_line(processes.parent(p)).startswith(b"ray::")]
