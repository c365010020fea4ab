"""Training speed: a fixed sample of architectures, trained by our loop and the plain one in turns.

The loops alternate for each architecture, and the one that goes first changes with the seed, so
that other load on the machine slows both alike. Only ratios within one run are compared.
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.analysis.statistics import half_width_of_mean
from nas.runs.header import environment
from search_spaces import Architecture, SearchSpace, load

if TYPE_CHECKING:
    from nas.benchmark.throughput import Bench, Training

LOOPS = ("ours", "plain")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An architecture of the sample."""

    space: SearchSpace
    architecture: Architecture


@dataclass(frozen=True, slots=True)
class Measurement:
    """One candidate trained by one loop with one seed."""

    candidate: int  # index in the sample
    seed: int
    loop: str
    training: Training


def sample(spaces: Sequence[tuple[str, int]]) -> list[Candidate]:
    """Sample a number of architectures of each space, always the same ones.

    Args:
        spaces: Pairs of a space, as for `search_spaces.load`, and a number of architectures.

    Raises:
        ValueError: there is no such space, or it has fewer members.
    """
    candidates = []
    for name, count in spaces:
        space = load(name)
        if count < 1 or space.size < count:
            raise ValueError(f"{name}: want 1 to {space.size:,} architectures, got {count}")
        rng = Random(f"benchmark/{name}")
        sampled: dict[Architecture, None] = {}
        while len(sampled) < count:
            sampled[space.sample(rng)] = None
        candidates += [Candidate(space, architecture) for architecture in sampled]
    return candidates


def run(bench: Bench, candidates: Sequence[Candidate], seeds: range) -> Iterator[Measurement]:
    """Train every candidate with every seed by both loops, in turns.

    Before that, both loops train the first candidate once without being measured: libraries are
    loaded then.
    """
    for loop in LOOPS if seeds else ():
        _measure(bench, candidates, 0, 0, loop)
    for seed in seeds:
        for number in range(len(candidates)):
            for loop in LOOPS if (seed + number) % 2 == 0 else LOOPS[::-1]:
                yield _measure(bench, candidates, number, seed, loop)


def measured_before(
    document: Mapping[str, Any], circumstances: Mapping[str, Any], candidates: Sequence[Candidate]
) -> list[Measurement]:
    """Read the measurements in a document of this benchmark.

    Args:
        document: The document: its `circumstances` and its `summary`.
        circumstances: The circumstances of this run: data, recipe, versions, `machine`, ...
        candidates: The candidates of this run.

    Raises:
        ValueError: the document is of other circumstances or candidates; names the difference.
    """
    recorded = [of["architecture"] for of in document["candidates"]]
    then = {**document, **document["machine"], "spaces": recorded}
    current = [str(c.architecture) for c in candidates]
    now = {**circumstances, **circumstances["machine"], "spaces": current}
    compared = (
        "spaces",
        "data",
        "examples",
        "recipe",
        "loader_workers",
        "threads",
        "device",
        "processor",
        "versions",
        "commit",
    )
    if other := [name for name in compared if then[name] != now[name]]:
        raise ValueError(f"another benchmark ({', '.join(other)})")
    from nas.benchmark.throughput import Training

    images = document["recipe"]["epochs"] * document["examples"]["train"]
    return [
        Measurement(
            number,
            seed,
            loop,
            Training(
                seconds=seconds,
                cpu_seconds=of[loop]["cpu_seconds"][seed],
                images=images,
                accuracy=of[loop]["accuracy"][seed],
                peak_bytes=document["loops"][loop]["peak_bytes"],
            ),
        )
        for number, of in enumerate(document["candidates"])
        for loop in LOOPS
        for seed, seconds in enumerate(of[loop]["seconds"])
    ]


def _measure(
    bench: Bench, candidates: Sequence[Candidate], number: int, seed: int, loop: str
) -> Measurement:
    candidate = candidates[number]
    train = bench.ours if loop == "ours" else bench.plain
    trained = train(candidate.space, candidate.architecture, seed)
    return Measurement(number, seed, loop, trained)


def summary(
    candidates: Sequence[Candidate], measured: Sequence[Measurement], profiles: Sequence[Any]
) -> dict[str, Any]:
    """The document of a benchmark: rates of each loop, their ratio, and every candidate.

    Keys: `loops` (for each: candidates_per_hour, images_per_second, accuracy, peak_bytes), `ratio`
    (candidates per hour, ours to plain), `ratio_by_space`, `cpu_ratio` (the ratio by CPU seconds
    of all processes together), `accuracy_difference` (ours less plain), and `candidates`. Ratios
    and difference have `mean` and `half_width`, that of its 95 % confidence interval over the
    seeds (Student's t; None with one seed).

    Args:
        candidates: The candidates.
        measured: Their measurements, whole rounds of them.
        profiles: More keys for each candidate; see `Bench.profile`.
    """
    names = ("seconds", "cpu_seconds", "accuracy")
    seconds, cpu_seconds, accuracy = (_table(measured, name) for name in names)
    spaces = [c.space.name for c in candidates]
    all_candidates = [True] * len(spaces)
    return {
        "loops": {loop: _rates(measured, loop) for loop in LOOPS},
        "ratio": _interval(_ratios(seconds, all_candidates)),
        "ratio_by_space": {
            name: _interval(_ratios(seconds, [space == name for space in spaces]))
            for name in dict.fromkeys(spaces)
        },
        "cpu_ratio": _interval(_ratios(cpu_seconds, all_candidates)),
        "accuracy_difference": _interval((accuracy["ours"] - accuracy["plain"]).mean(axis=1)),
        "candidates": [
            {
                "space": c.space.name,
                "architecture": str(c.architecture),
                **{
                    loop: {
                        "seconds": seconds[loop][:, number].tolist(),
                        "cpu_seconds": cpu_seconds[loop][:, number].tolist(),
                        "accuracy": accuracy[loop][:, number].tolist(),
                    }
                    for loop in LOOPS
                },
                **profile,
            }
            for number, (c, profile) in enumerate(zip(candidates, profiles, strict=True))
        ],
    }


def _table(measured: Sequence[Measurement], name: str) -> dict[str, Any]:
    """Arrays (seeds, candidates) of a field of the trainings, by loop; NaN where none is measured."""
    seeds = 1 + max(m.seed for m in measured)
    count = 1 + max(m.candidate for m in measured)
    tables = {loop: np.full((seeds, count), np.nan) for loop in LOOPS}
    for m in measured:
        tables[m.loop][m.seed, m.candidate] = getattr(m.training, name)
    return tables


def _rates(measured: Sequence[Measurement], loop: str) -> dict[str, Any]:
    trainings = [m.training for m in measured if m.loop == loop]
    seconds = sum(t.seconds for t in trainings)
    peaks = [t.peak_bytes for t in trainings if t.peak_bytes is not None]
    return {
        "candidates_per_hour": 3600 * len(trainings) / seconds,
        "images_per_second": sum(t.images for t in trainings) / seconds,
        "accuracy": float(np.mean([t.accuracy for t in trainings])),
        "peak_bytes": max(peaks) if peaks else None,
    }


def _ratios(seconds: dict[str, Any], chosen: Sequence[bool]) -> Any:
    """Candidates per hour of our loop, relative to the plain one, for each seed: (seeds,)."""
    return seconds["plain"][:, chosen].sum(axis=1) / seconds["ours"][:, chosen].sum(axis=1)


def _interval(values: Any) -> dict[str, float | None]:
    return {"mean": float(values.mean()), "half_width": half_width_of_mean(values)}


def machine(device: str) -> dict[str, Any]:
    """Device, processor, versions and commit."""
    return {**environment(device), "processor": _processor(), "commit": _commit()}


def _processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")  # Linux
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit of this checkout; None if it is not a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
