"""Trust in a front, as tables of 80 columns and as a JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.table import Table

from nas.analysis.retraining.trust import Member, Trust
from nas.core.metrics import Metric
from nas.core.numbers import counted, plain
from nas.views.columns import estimate_text, gain_text, gain_unit, mean_unit, score_text
from nas.views.terminal.explanation import titled
from nas.views.terminal.failed import failed_documents, failed_tables


def trust_tables(found: Trust) -> Iterator[str | Table]:
    """Yield the lines and tables of `nas trust`."""
    brief, long = found.epochs
    yield (
        f"{counted(len(found.members), 'network')} of the {found.front} on the front"
        f"{'' if found.confirmed is None else ' and the confirmed winner'}, "
        f"{counted(found.seeds, 'seed')} each, for {counted(brief, 'epoch')} as in the search and "
        f"for {long}"
    )
    first = found.objectives.first
    table = titled(f"the front, drawn again ({first.noun}{mean_unit(first)}; ± 95 %)")
    for name in member_head(found):
        table.add_column(name, justify="right", no_wrap=True)
    for member in found.members:
        table.add_row(*member_cells(found, member))
    yield table
    if found.pairs:
        yield _pairs(found)
    yield from failed_tables(found.failed)
    yield from _lines(found)


def lengths(found: Trust) -> list[str]:
    """The epochs of the brief and of the longer trainings, as texts."""
    return [counted(epochs, "epoch") for epochs in found.epochs]


def member_head(found: Trust) -> tuple[str, ...]:
    """The head of `member_cells`."""
    others = (metric.label for metric in found.objectives.metrics[1:])
    return ("trial", *others, "found", *lengths(found), "on front")


def member_cells(found: Trust, member: Member) -> tuple[str, ...]:
    """Trial, further objectives, score in the search, after brief and long training, front."""
    first, *others = found.objectives.metrics
    return (
        str(member.trial.number),
        *(score_text(metric, member.trial) for metric in others),
        first.text(member.found),
        estimate_text(first, member.brief, "failed"),
        estimate_text(first, member.long, "failed"),
        "-" if member.on_front is None else f"{member.on_front:.0%}",
    )


def _pairs(found: Trust) -> Table:
    table = titled(f"which of them are different after {lengths(found)[1]}")
    first = found.objectives.first
    for name in ("better", "worse", gain_unit(first), "p (Holm)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for pair in found.pairs:
        table.add_row(
            str(pair.better),
            str(pair.worse),
            gain_text(first, pair.difference.mean, pair.difference.half),
            "-" if pair.p is None else f"{pair.p:.3f}",
            "different" if pair.different else "may be equal",
        )
    return table


def _lines(found: Trust) -> Iterator[str]:
    if winner := confirmed_text(found):
        yield winner
    brief, long = lengths(found)
    first = found.objectives.first
    for length, noise in zip((brief, long), found.noise, strict=True):
        if noise is not None:
            yield f"noise of a seed after {length}: {_noise_text(first, noise)} (standard deviation)"
    if found.luck is not None:
        yield f"luck of the picked networks: {luck_text(found)} than other seeds after {brief}"
    if found.correlation is not None:
        c = found.correlation
        yield (
            f"rank correlation of the search's scores with {long}: {c.value:.2f} "
            f"(within the noise {c.low:.2f} to {c.high:.2f})"
        )
    if found.seeds == 1:
        yield "one seed cannot show noise: use --seeds 3"


def confirmed_text(found: Trust) -> str:
    """The winner that the search confirmed, with its scores here; empty without one."""
    first = found.objectives.first
    for member in found.members:
        if member.trial.number == found.confirmed:
            brief, long = (
                estimate_text(first, each, "failed") for each in (member.brief, member.long)
            )
            after = " and ".join(
                f"{text} after {n}" for text, n in zip((brief, long), lengths(found), strict=True)
            )
            return f"confirmed winner: trial {found.confirmed}, {first.noun}{mean_unit(first)}: {after}"
    return ""


def _noise_text(metric: Metric, noise: float) -> str:
    if metric.is_share:
        return f"{100 * noise:.2f} points"
    return plain(noise, 3) + (f" {metric.unit}" if metric.unit else "")


def luck_text(found: Trust) -> str:
    """The luck of the picked networks in words: +1.20 ± 0.40 points better."""
    assert found.luck is not None, "no brief training completed"
    first = found.objectives.first
    unit = "points" if first.is_share else first.unit
    text = gain_text(first, found.luck.mean, found.luck.half)
    return " ".join(part for part in (text, unit, "better") if part)


def trust_document(found: Trust) -> dict[str, Any]:
    """The document of `nas trust --json`.

    Keys: epochs (brief, long), confirmed (number of a trial, or null), seeds, front, objectives, members (number, scores in the search,
    found, brief, long: mean and half, or null, of the first objective; on_front), noise (brief, long), luck, correlation (value, low, high, or null),
    pairs (better, worse, difference, p, different) and failed (trainings: network, epochs, seed,
    cause, message).
    """
    return {
        "epochs": list(found.epochs),
        "seeds": found.seeds,
        "front": found.front,
        "objectives": list(found.objectives.names),
        "members": [
            {
                "number": member.trial.number,
                "scores": dict(member.trial.scores),
                "found": member.found,
                "brief": member.brief and asdict(member.brief),
                "long": member.long and asdict(member.long),
                "on_front": member.on_front,
            }
            for member in found.members
        ],
        "noise": list(found.noise),
        "luck": found.luck and asdict(found.luck),
        "correlation": found.correlation and asdict(found.correlation),
        "pairs": [{**asdict(pair), "different": pair.different} for pair in found.pairs],
        "failed": failed_documents(found.failed),
        "confirmed": found.confirmed,
    }
