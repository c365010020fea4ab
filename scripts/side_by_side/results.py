"""The lines of a comparison: written one by one, read, and summed up as tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from side_by_side.methods import LINEAR

Line = dict[str, Any]
Key = tuple[str, str, int, float | None]


def read(file: Path) -> list[Line]:
    """The lines of a file; none where it does not exist."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]


def append(file: Path, line: Line) -> None:
    """Add a line to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        opened.write(json.dumps(line) + "\n")


def key(line: Line) -> Key:
    """Data set, method, fold and seconds (None for a method that takes what it takes) of a line."""
    return line["set"], line["method"], line["fold"], line["seconds"]


def summary(lines: Sequence[Line], seconds: float | None, reference: Path | None) -> str:
    """Tables of means, standard errors, ranks and times of the lines with a budget of `seconds`.

    Without `seconds` the lines of all budgets are taken, each as a method of its own.
    """
    scored = [line for line in lines if "score" in line]
    if seconds is not None:
        scored = [line for line in scored if line["seconds"] in (None, seconds)]
    found: dict[str, dict[str, dict[int, Line]]] = {}
    for line in scored:
        found.setdefault(line["set"], {}).setdefault(_title(line, seconds), {})[line["fold"]] = line
    methods = list(dict.fromkeys(name for by_method in found.values() for name in by_method))
    parts = [
        _scores(found, methods),
        _ranks(found, methods),
        _seconds(found, methods),
        *_below_linear(found),
    ]
    if reference is not None:
        parts.append(_against(found, pd.read_csv(reference)))
    failed = {(line["set"], line["method"]): line["error"] for line in lines if "error" in line}
    parts += [f"failed: {name}, {method}: {error}" for (name, method), error in failed.items()]
    return "\n\n".join(parts)


Found = dict[str, dict[str, dict[int, Line]]]


def _title(line: Line, seconds: float | None) -> str:
    if seconds is not None or line["seconds"] is None:
        return str(line["method"])
    return f"{line['method']} {line['seconds']:g} s"


def _of(folds: dict[int, Line], field: str = "score") -> np.ndarray:
    return np.array([folds[number][field] for number in sorted(folds)])


def _error(scores: np.ndarray) -> float:
    return float(scores.std(ddof=1) / len(scores) ** 0.5) if len(scores) > 1 else float("nan")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _scores(found: Found, methods: list[str]) -> str:
    """Means and standard errors; the number of folds where it is not five."""

    def cell(folds: dict[int, Line] | None) -> str:
        if not folds:
            return ""
        scores = _of(folds)
        short = "" if len(scores) == 5 else f" ({len(scores)} folds)"
        return f"{scores.mean():.3f} ± {_error(scores):.3f}{short}"

    def size(by_method: dict[str, dict[int, Line]]) -> str:
        line = next(iter(next(iter(by_method.values())).values()))
        return f"{line['rows']:,} × {line['columns']:,}"

    return _table(
        ["", "rows × columns", *methods],
        [
            [name, size(by_method), *(cell(by_method.get(method)) for method in methods)]
            for name, by_method in found.items()
        ],
    )


def _ranks(found: Found, methods: list[str]) -> str:
    """Mean rank of each method over the sets that all of them have, and the mean scores there."""
    complete = [
        name
        for name, by_method in found.items()
        if all(len(by_method.get(method, ())) for method in methods)
    ]
    if not complete:
        return "no set has scores of all methods: no ranks"
    ranks, means = [], []
    for name in complete:
        by_method = found[name]
        shared = set.intersection(*(set(by_method[method]) for method in methods))
        scores = [_of({n: by_method[m][n] for n in shared}).mean() for m in methods]
        ranks.append(rankdata(-np.round(scores, 6)))
        means.append(scores)
    classes = [not next(iter(found[n][methods[0]].values()))["regression"] for n in complete]
    accuracies = np.array(means)[classes].mean(axis=0) if any(classes) else [np.nan] * len(methods)
    mean_ranks = np.mean(ranks, axis=0)
    order = np.argsort(mean_ranks)
    return _table(
        [
            f"over {len(complete)} sets ({', '.join(complete)})",
            "mean rank",
            f"mean accuracy of {sum(classes)} sets",
        ],
        [[methods[i], f"{mean_ranks[i]:.2f}", f"{accuracies[i]:.4f}"] for i in order],
    )


def _seconds(found: Found, methods: list[str]) -> str:
    """Processor seconds of one fold, means."""
    return _table(
        ["processor seconds of a fold", *methods],
        [
            [
                name,
                *(
                    f"{_of(by_method[method], 'cpu').mean():.1f}" if method in by_method else ""
                    for method in methods
                ),
            ]
            for name, by_method in found.items()
        ],
    )


def _below_linear(found: Found) -> list[str]:
    """Methods that are below the linear model by more than one standard error of that."""
    below = []
    for name, by_method in found.items():
        for method, folds in by_method.items():
            shared = sorted(folds.keys() & by_method.get(LINEAR, {}).keys())
            if method == LINEAR or len(shared) < 2:
                continue
            its = _of({n: folds[n] for n in shared})
            base = _of({n: by_method[LINEAR][n] for n in shared})
            if its.mean() < base.mean() - _error(base):
                difference = its - base
                below.append(
                    f"{method} on {name}: {difference.mean():.3f} ± {_error(difference):.3f}"
                )
    return ["below linear by more than a standard error:\n" + "\n".join(below)] if below else []


NAMES = {
    "logreg": "linear",
    "ridge": "linear",
    "random_forest": "forest",
    "hist_gb": "boosting",
    "svc_rbf": "svm",
    "svr_rbf": "svm",
    "mlp_sklearn": "mlp",
    "realmlp_td": "realmlp",
    "tabm_d": "tabm",
}


def _against(found: Found, known: pd.DataFrame) -> str:
    """Differences from known scores of the same protocol."""
    rows = []
    for row in known.itertuples():
        folds = found.get(str(row.dataset), {}).get(NAMES[str(row.model)])
        if folds and len(folds) == 5:
            ours, theirs = _of(folds).mean(), float(row.score_5fold_mean)
            its = [str(row.dataset), NAMES[str(row.model)]]
            rows.append([*its, f"{ours:.4f}", f"{theirs:.4f}", f"{ours - theirs:+.4f}"])
    return _table(["set", "method", "here", "known", "difference"], rows)
