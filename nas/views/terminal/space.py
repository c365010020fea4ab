"""Report on a search space (`nas.analysis.space_report`) as text of at most 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from nas.core.numbers import short

_WIDTH = 80


def lines(document: dict[str, Any]) -> Iterator[str]:
    """The lines of a report."""
    size, sample = document["size"], document["sample"]
    number = f"{sample['number']:,}"
    sampled = f"all {number}" if sample["exact"] else f"{number} sampled"
    shape = "x".join(map(str, document["input"]))
    settings = ", ".join(f"{name}={value}" for name, value in document["settings"].items())
    yield from _field("space", document["space"] + (f" ({settings})" if settings else ""))
    yield from _field("source", document["source"] or "-")
    yield from _field("size", "infinite" if size is None else f"{size:,}")
    if document["functions"] is None:
        yield from _field("duplicates", "unknown: the space has no canonical form")
    else:
        yield from _field(
            "duplicates",
            f"{document['duplicates']:.1%} of {sampled}: {document['functions']:,} functions",
        )
    if (live := document["without_dead_parts"]) is not None:
        yield from _field(
            "simplified",
            f"{live['architectures']:,} of {sampled} have no dead parts; up to constants, which these "
            f"add, there are {live['functions']:,} functions",
        )
    for title, key in (("parameters", "parameters"), ("MACs", "macs")):
        costs = document[key]
        low, middle, high = (short(costs[name]) for name in ("minimum", "median", "maximum"))
        yield ""
        yield f"{title} of {sampled}, for input {shape} and {document['classes']} classes"
        yield f"  {low} to {high}, median {middle}"
        yield from _histogram(costs["histogram"])
    yield ""
    yield "decisions (share of architectures that take it)"
    for decision in document["decisions"]:
        options = ", ".join(decision["options"])
        yield from _field(f"  {decision['path']}", f"({decision['active']:.0%}) {options}", 26)
    if document["known"]:
        yield ""
        yield f"{'known':<40} {'parameters':>12} {'MACs':>12}"
        for known in document["known"]:
            name = f"  {known['name']}"
            yield f"{name:<40} {short(known['parameters']):>12} {short(known['macs']):>12}"
    if document["warnings"]:
        yield ""
        for warning in document["warnings"]:
            yield from _field("warning", warning, 9)


def _histogram(bins: Sequence[dict[str, Any]]) -> Iterator[str]:
    most = max(b["count"] for b in bins)
    for b in bins:
        bar = "#" * math.ceil(40 * b["count"] / most)
        yield f"  {short(b['low']):>9} to {short(b['high']):>9}  {bar:<40}  {b['count']:>7,}"


def _field(name: str, text: str, indent: int = 12) -> Iterator[str]:
    first = f"{name:<{indent}} " if len(name) <= indent else f"{name} "
    later = " " * (indent + 1)
    yield from wrap(text, _WIDTH, initial_indent=first, subsequent_indent=later) or [first.rstrip()]
