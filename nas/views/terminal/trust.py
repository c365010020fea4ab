"""Trust in a front, as tables of 80 columns and as a JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.table import Table

from nas.analysis.retraining.trust import Member, Trust
from nas.core.numbers import counted
from nas.views.terminal.explanation import percent_text, points_text, titled
from nas.views.terminal.failed import failed_documents, failed_tables


def trust_tables(found: Trust) -> Iterator[str | Table]:
    """Yield the lines and tables of `nas trust`."""
    brief, long = found.epochs
    yield (
        f"{len(found.members)} of the {counted(found.front, 'network')} of the front, "
        f"{counted(found.seeds, 'seed')} each, for {counted(brief, 'epoch')} as in the search and "
        f"for {long}"
    )
    table = titled("the front, drawn again (accuracy in %, ± 95 %)")
    for name in ("trial", "parameters", "found", *lengths(found), "on front"):
        table.add_column(name, justify="right", no_wrap=True)
    for member in found.members:
        table.add_row(*member_cells(member))
    yield table
    if found.pairs:
        yield _pairs(found)
    yield from failed_tables(found.failed)
    yield from _lines(found)


def lengths(found: Trust) -> list[str]:
    """The epochs of the brief and of the longer trainings, as texts."""
    return [counted(epochs, "epoch") for epochs in found.epochs]


def member_cells(member: Member) -> tuple[str, ...]:
    """Trial, parameters, accuracy in the search, after brief and long training, share of fronts."""
    return (
        str(member.trial.number),
        f"{member.trial.scores['parameters']:,}",
        f"{member.found:.2%}",
        percent_text(member.brief, "failed"),
        percent_text(member.long, "failed"),
        "-" if member.on_front is None else f"{member.on_front:.0%}",
    )


def _pairs(found: Trust) -> Table:
    table = titled(f"which of them are different after {lengths(found)[1]}")
    for name in ("better", "worse", "points of accuracy", "p (Holm)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for pair in found.pairs:
        table.add_row(
            str(pair.better),
            str(pair.worse),
            points_text(pair.difference.mean, pair.difference.half),
            "-" if pair.p is None else f"{pair.p:.3f}",
            "different" if pair.different else "may be equal",
        )
    return table


def _lines(found: Trust) -> Iterator[str]:
    brief, long = lengths(found)
    for length, noise in zip((brief, long), found.noise, strict=True):
        if noise is not None:
            yield f"noise of a seed after {length}: {100 * noise:.2f} points (standard deviation)"
    if found.luck is not None:
        yield (
            f"luck of the picked networks: {points_text(found.luck.mean, found.luck.half)} points above "
            f"other seeds after {brief}"
        )
    if found.correlation is not None:
        c = found.correlation
        yield (
            f"rank correlation of the search's scores with {long}: {c.value:.2f} "
            f"(within the noise {c.low:.2f} to {c.high:.2f})"
        )
    if found.seeds == 1:
        yield "one seed cannot show noise: use --seeds 3"


def trust_document(found: Trust) -> dict[str, Any]:
    """The document of `nas trust --json`.

    Keys: epochs (brief, long), seeds, front, members (number, parameters, found, brief, long: mean
    and half, or null; on_front), noise (brief, long), luck, correlation (value, low, high, or null),
    pairs (better, worse, difference, p, different) and failed (trainings: network, epochs, seed,
    cause, message).
    """
    return {
        "epochs": list(found.epochs),
        "seeds": found.seeds,
        "front": found.front,
        "members": [
            {
                "number": member.trial.number,
                "parameters": member.trial.scores["parameters"],
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
    }
