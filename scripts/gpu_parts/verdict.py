"""Figures of a trial against what is wanted of the GPU path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isnan
from typing import Any

Parts = Mapping[str, Mapping[str, Any]]


def verdict(parts: Parts) -> dict[str, dict[str, Any]]:
    """The worst figure of each thing wanted, and if it is met; none where there are no figures."""
    found: dict[str, dict[str, Any]] = {}
    for name, (wanted, figures, allowed) in WANTED.items():
        if values := figures(parts):
            worst = max(values, key=_badness)
            found[name] = {"want": wanted, "worst": worst, "met": allowed(worst)}
    return found


def _badness(value: float) -> float:
    """A number that puts NaN, which no comparison allows, behind all others."""
    return inf if isnan(value) else value


def _of(parts: Parts, part: str, name: str) -> list[Any]:
    """The figures with a name in the steps of a part."""
    steps = parts.get(part, {}).values()
    return [step[name] for step in steps if isinstance(step, Mapping) and name in step]


def _captures(parts: Parts) -> list[float]:
    return [ms for each in _of(parts, "graphs", "captures ms") for ms in each]


def _apart(parts: Parts) -> list[float]:
    """Differences of captured from eager losses, beyond twice those of eager from eager ones."""
    captured = _of(parts, "graphs", "graph against eager")
    eager = _of(parts, "graphs", "eager against itself")
    return [a - 2 * b for a, b in zip(captured, eager, strict=True)]


def _slowness(parts: Parts) -> list[float]:
    """Our time of a candidate as a share of that of the plain loop."""
    return [1 / ratio for ratio in _of(parts, "throughput", "ratio")]


def _accuracies(parts: Parts) -> list[float]:
    return [abs(a["ours"] - a["plain"]) for a in _of(parts, "throughput", "accuracy")]


def _after_sticky_error(parts: Parts) -> list[int]:
    """1 for each of the other trials that failed, or that is missing."""
    trials = parts.get("sticky_error")
    if not trials:  # not begun
        return []
    ended = [trials.get(name, {"failure": "missing"}) for name in ("trial 0", "trial 2")]
    return [int(trial["failure"] is not None) for trial in ended]


def _errors(parts: Parts) -> list[int]:
    """1 for each step that ended with an error."""
    steps = [step for part in parts.values() for step in part.values()]
    return [int("error" in step) for step in steps if isinstance(step, Mapping)]


# name -> (what is wanted, the figures, whether a figure is allowed); large figures are worse
WANTED: dict[str, tuple[str, Callable[[Parts], list[Any]], Callable[[Any], bool]]] = {
    "tests": ("none fails", lambda parts: [len(f) for f in _failed(parts)], lambda x: x == 0),
    "steps": ("none has an error", _errors, lambda x: x == 0),
    "sticky error": ("costs no other trial", _after_sticky_error, lambda x: x == 0),
    "capture": ("below 1,000 ms", _captures, lambda x: x < 1000),
    "graph against eager": ("losses within 0.001", _apart, lambda x: x < 1e-3),
    "speed": ("at most 0.1 of the plain loop's time", _slowness, lambda x: x <= 0.1),
    "accuracy": ("within 0.03 of the plain loop's", _accuracies, lambda x: x <= 0.03),
    "memory": (
        "prediction within 20 % of what is reserved",
        lambda parts: [abs(x - 1) for x in _of(parts, "memory", "predicted/reserved")],
        lambda x: x <= 0.2,
    ),
}


def _failed(parts: Parts) -> list[list[str]]:
    return [parts["tests"]["failed"]] if "failed" in parts.get("tests", {}) else []
