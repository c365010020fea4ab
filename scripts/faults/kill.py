"""SIGKILL at random moments, of the search or of one of its workers.

Every search is killed, continued, killed again, and so on to its end; it must then be the search
that nobody killed, but for times. What was recorded stays byte for byte, and is not evaluated
again. No process is left. A search that is continued begins its next trial soon.
"""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import fault_targets
import processes

from faults import Finding

STRATEGIES = ("random", "evolution", "halving")
TRIALS = {"table": 60, "training": 16}
KILLS = {"table": 25, "training": 9}  # for each strategy, with one worker and with two; in full
SOON = 2.0  # seconds from the end of importing to the next trial


@dataclass
class _Count:
    kills: dict[str, int] = field(default_factory=lambda: {"search": 0, "worker": 0})
    searches: int = 0
    wrong: list[str] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)


def run(*, quick: bool, folder: Path) -> Finding:
    """Kill a few searches, or many."""
    rng, count = Random(0), _Count()
    for kind in ("table",) if quick else ("table", "training"):
        for strategy in ("halving",) if quick else STRATEGIES:
            whole = folder / f"{kind}-{strategy}-whole"
            reference = fault_targets.run_to_the_end(whole, kind, strategy, TRIALS[kind])
            for workers in (2,) if quick else (1, 2):
                until = sum(count.kills.values()) + (3 if quick else KILLS[kind])
                while sum(count.kills.values()) < until:
                    name = f"{kind}-{strategy}-{workers}-{count.searches}"
                    _one_search(folder / name, kind, strategy, workers, reference, rng, count)
    slowest = max(count.restarts, default=0.0)
    if slowest > SOON:
        count.wrong.append(f"a restart took {slowest:.2f} s")
    lines = [
        f"{count.kills['search']} kills of the search and {count.kills['worker']} of a worker, in "
        f"{count.searches} searches: {len(count.wrong)} went wrong",
        f"restart to the next trial, without importing: {slowest:.2f} s at most, of "
        f"{len(count.restarts)} of searches with one worker",
    ]
    return Finding(held=not count.wrong, lines=(*lines, *count.wrong[:10]))


def _one_search(
    folder: Path,
    kind: str,
    strategy: str,
    workers: int,
    reference: list[dict[str, Any]],
    rng: Random,
    count: _Count,
) -> None:
    count.searches += 1
    recorded: list[bytes] = []
    for _ in range(100):
        before = _evaluated(folder)
        ended = _one_life(folder, kind, strategy, workers, rng, count, begun=bool(recorded))
        now = _lines(folder)
        if now[: len(recorded)] != recorded:
            count.wrong.append(f"{folder.name}: what was recorded has changed")
        again = set(_evaluated(folder)[len(before) :]) & set(range(len(recorded)))
        if again:
            count.wrong.append(f"{folder.name}: trials {sorted(again)} were evaluated again")
        recorded = now
        if ended:
            break
    if fault_targets.decided(folder) != reference:
        count.wrong.append(f"{folder.name}: not the search that nobody killed")


def _one_life(
    folder: Path,
    kind: str,
    strategy: str,
    workers: int,
    rng: Random,
    count: _Count,
    *,
    begun: bool,
) -> bool:
    """Run a search until it is killed; whether it came to its end instead."""
    command = fault_targets.command(folder, kind, strategy, TRIALS[kind], workers=workers)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as search:
        assert search.stdout is not None
        imported, first = search.stdout.readline(), ""
        if rng.random() < 0.7:  # else it is killed while it reads what there is, and starts workers
            first = search.stdout.readline()
        victims = rng.sample(["search", "worker"], 2) if workers > 1 else ["search"]
        time.sleep(rng.uniform(0, 0.6 if kind == "table" else 2.0))
        family = processes.children(search.pid)
        for victim in victims:  # some lives see both
            there = processes.workers(search.pid) if victim == "worker" else [search.pid]
            pid = rng.choice(there or [0])
            if pid and processes.alive(pid) and processes.kill(pid, signal.SIGKILL):
                count.kills[victim] += 1
            if rng.random() < 0.7:
                break
        rest = search.stdout.read()
        status = search.wait(timeout=300)
    if status not in (0, -signal.SIGKILL):
        count.wrong.append(f"{folder.name}: exit status {status}")
        return True
    if left := processes.left_of(family):
        count.wrong.append(f"{folder.name}: processes {left} are left")
    first = first or rest.partition("\n")[0]
    if workers == 1 and begun and first:  # else importing goes on in the workers
        count.restarts.append(_restart(folder, imported, first))
    return status == 0


def _restart(folder: Path, imported: str, trial: str) -> float:
    """Seconds between the end of importing and the beginning of the first new trial."""
    _, number, ended = trial.split()
    seconds = fault_targets.seconds(folder, int(number))
    return float(ended) - float(imported.split()[1]) - seconds


def _lines(folder: Path) -> list[bytes]:
    file = folder / "trials.jsonl"
    whole = file.read_bytes() if file.exists() else b""
    return whole[: whole.rfind(b"\n") + 1].splitlines()


def _evaluated(folder: Path) -> list[int]:
    file = folder / "evaluated.txt"
    return [int(line) for line in file.read_text().split()] if file.exists() else []
