"""Explanations and ablations, as tables of 80 columns and as JSON documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.padding import Padding
from rich.table import Table

from nas.analysis.explanation.effects import Effect
from nas.analysis.explanation.explain import Explanation
from nas.analysis.explanation.importance import Importance
from nas.analysis.retraining.ablation import Ablation
from nas.core.metrics import Metric
from nas.core.numbers import counted, plain
from nas.views.columns import gain_text, gain_unit, mean_unit
from nas.views.terminal.failed import failed_documents, failed_tables
from nas.views.wrapping import Wrapped

WIDTH = 30  # characters of the longest bar


def explanation_tables(found: Explanation, top: int) -> Iterator[str | Table]:
    """Yield the lines and tables of `nas explain`, with the `top` decisions of each kind."""
    yield evidence_text(found)
    for metric in found.metrics:
        shares = found.importance[metric.name]
        yield importance_table(metric, shares, top)
        if len(shares) > top:
            yield f"  {len(shares) - top} more: --top {len(shares)}"
    yield BASIS[found.by]
    if found.by == "model" and all(
        effect.low < 0 < effect.high for options in found.effects.values() for effect in options
    ):
        yield "no option is significantly better or worse: noise hides the effects, or they are equal"
    yield effects_table(found, found.decisions[:top])
    costs = ", ".join(cost.label for cost in found.costs)
    yield (
        "seen: mean of the trials, 95 % t-interval as if they were independent; a search prefers what "
        "does well, so that its trials share more than one option. effect: against the mean of uniform "
        "draws, 95 % credible interval of the model, positive if the option is better"
        + (f". {costs}: relative to all draws" if costs else "")
    )


def evidence_text(found: Explanation) -> str:
    """A line with the data of an explanation."""
    return (
        f"{counted(found.trials, 'configuration')} after {counted(found.epochs, 'epoch')} each; "
        f"{found.draws:,} uniform draws"
    )


def importance_table(metric: Metric, shares: Mapping[str, Importance], top: int) -> Table:
    """A table of the most important decisions for an objective."""
    shown = dict(list(shares.items())[:top])
    widest = max((one.high or one.share for one in shown.values()), default=0.0)
    table = titled(f"what decides {metric.label}")
    table.add_column("decision", overflow="fold")
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("95 %", justify="right", no_wrap=True)
    table.add_column(f"0% to {widest:.1%} (-: 95 %)", no_wrap=True, min_width=WIDTH)
    for path, share, between in share_rows(shown, top):
        table.add_row(Wrapped(path), share, between, _bar(shown[path], widest))
    return table


def _bar(one: Importance, widest: float) -> str:
    """A share as `#` and the rest of its interval as `-`; `widest` has `WIDTH` characters."""
    if widest <= 0:
        return ""
    share, high = (round(WIDTH * value / widest) for value in (one.share, one.high or one.share))
    return "#" * share + "-" * (high - share)


def share_rows(shares: Mapping[str, Importance], top: int) -> list[tuple[str, str, str]]:
    """Decision, share and interval (empty without one) of the first `top` decisions."""
    return [
        (path, f"{one.share:.1%}", "" if one.low is None else f"{one.low:.1%} to {one.high:.1%}")
        for path, one in list(shares.items())[:top]
    ]


def effects_table(found: Explanation, paths: Sequence[str]) -> Table:
    """A table of the mean effect of each option of some decisions, in the first objective."""
    table = titled(f"mean effect of each option, {gain_unit(found.first)}")
    table.add_column("decision and options", overflow="fold")
    for name in effect_head(found):
        table.add_column(name, justify="right", no_wrap=True)
    for path in paths:
        table.add_row(Wrapped(path))
        for option, *cells in effect_rows(found, path):
            table.add_row(Padding(Wrapped(option), (0, 0, 0, 2)), *cells)
    return table


def effect_head(found: Explanation) -> tuple[str, ...]:
    """The head of `effect_rows`, but for the option."""
    seen = f"seen{mean_unit(found.first)}"
    return ("trials", seen, "effect", *(cost.label for cost in found.costs))


def effect_rows(found: Explanation, path: str) -> list[tuple[str, ...]]:
    """Option, trials, value seen, effect and relative costs: the best option first."""
    first = found.first
    return [
        (
            effect.option,
            str(effect.trials),
            _seen(first, effect),
            f"{_short(first, effect.gain)} ({_short(first, effect.low)} to {_short(first, effect.high)})",
            *(f"x{effect.costs[cost.name]:.2f}" for cost in found.costs),
        )
        for effect in sorted(found.effects[path], key=lambda e: -e.gain)
    ]


def ablation_tables(found: Ablation) -> Iterator[str | Table]:
    """Yield the lines and tables of `nas explain --ablate`."""
    yield (
        f"trial {found.trial.number} and {counted(len(found.options), 'network')} one decision from "
        f"it, each trained {trained_text(found.seeds, found.epochs)}, itself with {found.own_seeds}: "
        f"{found.metric.words(found.score)}"
    )
    table = titled("worth of its decisions, against the mean of their other options")
    for name in ("decision", "taken"):
        table.add_column(name, overflow="fold")
    for name in ("others", gain_unit(found.metric)):
        table.add_column(name, justify="right", no_wrap=True)
    for decision in found.decisions:
        points = gain_text(found.metric, decision.gain, decision.half)
        table.add_row(
            Wrapped(decision.path), Wrapped(decision.taken), str(decision.options), points
        )
    yield table
    table = titled("worth against each other option")
    for name in ("decision", "taken", "instead of"):
        table.add_column(name, overflow="fold")
    for name in (gain_unit(found.metric), *(cost.label for cost in found.costs)):
        table.add_column(name, justify="right", no_wrap=True)
    for worth in sorted(found.options, key=lambda w: -(w.gain or 0.0)):
        other = worth.alternative
        points = gain_text(found.metric, worth.gain, worth.half)
        costs = (f"{worth.costs[cost.name]:+,}" for cost in found.costs)
        table.add_row(
            Wrapped(other.path),
            Wrapped(other.taken),
            Wrapped(other.instead),
            "the same function" if other.same else points,
            *costs,
        )
    yield table
    yield from failed_tables(found.failed)
    yield (
        "positive: the choice is better. ± is the 95 % t-interval of the difference of means, with one "
        "deviation for the network itself and one for all others"
    )


def trained_text(seeds: int, epochs: int) -> str:
    """A text such as `with 3 seeds for 1 epoch`."""
    return f"with {counted(seeds, 'seed')} for {counted(epochs, 'epoch')}"


def explanation_document(found: Explanation) -> dict[str, Any]:
    """The document of `nas explain --json`.

    Keys: trials, epochs, draws, by, objectives, importance (by objective, then decision: share, low, high) and
    effects (on the first objective, by decision, a list: option, trials, seen, seen_half, gain,
    low, high, costs).
    """
    return {
        "trials": found.trials,
        "epochs": found.epochs,
        "draws": found.draws,
        "by": found.by,
        "objectives": [metric.name for metric in found.metrics],
        "importance": {
            score: {path: asdict(item) for path, item in shares.items()}
            for score, shares in found.importance.items()
        },
        "effects": {path: [asdict(e) for e in items] for path, items in found.effects.items()},
    }


def ablation_document(found: Ablation) -> dict[str, Any]:
    """The document of `nas explain --ablate --json` under `ablation`.

    Keys: trial, epochs, seeds, own_seeds, metric, score, deviation, decisions (path, taken, gain,
    half, options), options (path, taken, instead, architecture, same, gain, half, costs) and failed
    (trainings: network, epochs, seed, cause, message).
    """
    return {
        "trial": found.trial.number,
        "epochs": found.epochs,
        "seeds": found.seeds,
        "own_seeds": found.own_seeds,
        "metric": found.metric.name,
        "score": found.score,
        "deviation": found.deviation,
        "decisions": [asdict(decision) for decision in found.decisions],
        "options": [
            {
                "path": worth.alternative.path,
                "taken": worth.alternative.taken,
                "instead": worth.alternative.instead,
                "architecture": str(worth.alternative.configuration.architecture),
                "same": worth.alternative.same,
                "gain": worth.gain,
                "half": worth.half,
                "costs": dict(worth.costs),
            }
            for worth in found.options
        ],
        "failed": failed_documents(found.failed),
    }


BASIS = {
    "model": (
        "share: part of the variance over uniform draws that a decision explains by itself, 95 % interval "
        "under a Gaussian process; costs are counted (their logarithm). The rest are interactions"
    ),
    "fanova": "share: part of the variance that a decision explains by itself in a random forest (Optuna)",
    "ped-anova": "share: part of the difference between the better half of the trials and all (Optuna)",
}


def _short(metric: Metric, gain: float) -> str:
    """An improvement with few digits."""
    return f"{100 * gain:+.1f}" if metric.is_share else f"{'' if gain < 0 else '+'}{plain(gain, 3)}"


def _seen(metric: Metric, effect: Effect) -> str:
    if effect.seen is None:
        return "-"
    scale = 100 if metric.is_share else 1
    digits = ".1f" if metric.is_share else ".3g"
    half = "" if effect.seen_half is None else f" ± {scale * effect.seen_half:{digits}}"
    return f"{scale * effect.seen:{digits}}{half}"


def titled(title: str) -> Table:
    """An empty table with a title."""
    return Table(title=title, title_justify="left", box=None, pad_edge=False)
