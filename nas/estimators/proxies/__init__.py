"""Zero-cost proxies: scores of an untrained network on one batch, the larger the better.

To add one: write a module with `measure(probe) -> {name: score}`, and name it in `PROXIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from nas.core.metrics import PROXIES as METRICS
from search_spaces.notation import did_you_mean

if TYPE_CHECKING:
    from nas.estimators.proxies.probe import Probe

Measure: TypeAlias = "Callable[[Probe], Mapping[str, float]]"

# name -> the scores of the module of that name
PROXIES: Mapping[str, tuple[str, ...]] = {
    "synflow": ("synflow",),
    "nwot": ("nwot",),
    "jacov": ("jacov",),
    "snip": ("snip",),
    "grasp": ("grasp",),
    "fisher": ("fisher",),
    "grad_norm": ("grad_norm",),
    "zen": ("zen",),
    "zico": ("zico",),
    "meco": ("meco",),
    "az_nas": ("az_expressivity", "az_progressivity", "az_trainability", "az_complexity"),
    "swap": ("swap",),
}
AUTO = ("meco", "synflow", "jacov")  # chosen on half of the cells: see docs/figures/estimates.md
_OF_SCORE = {score: name for name, scores in PROXIES.items() for score in scores}
assert _OF_SCORE.keys() == METRICS.keys(), "each score of a proxy is a metric"


def load(name: str) -> Measure:
    """The function that measures a proxy."""
    measure: Measure = import_module(f"nas.estimators.proxies.{name}").measure
    return measure


def parse(text: str) -> tuple[str, ...]:
    """Read names joined by `+` or commas, `all`, or `auto`: the scores of proxies.

    Raises:
        ValueError: one is unknown; lists those there are.
    """
    if text == "auto":
        return AUTO
    if text == "all":
        return tuple(_OF_SCORE)
    found: dict[str, None] = {}
    for name in text.replace("+", ",").split(","):
        scores = PROXIES.get(name) or ((name,) if name in _OF_SCORE else ())
        if not scores:
            known = dict.fromkeys((*PROXIES, *_OF_SCORE))
            near = did_you_mean(name, known)
            raise ValueError(f"proxies: want auto, all or {', '.join(known)}, got {name!r}{near}")
        found.update(dict.fromkeys(scores))
    return tuple(found)


def needed(scores: Iterable[str]) -> tuple[str, ...]:
    """The proxies that measure these scores."""
    return tuple(dict.fromkeys(_OF_SCORE[score] for score in scores))
