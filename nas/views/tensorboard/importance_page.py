"""Importance of decisions as a page of text."""

from __future__ import annotations

from collections.abc import Iterator

from nas.analysis.explanation.explain import Explanation
from nas.views.columns import gain_unit
from nas.views.tensorboard.pages import markdown_table
from nas.views.terminal.explanation import (
    BASIS,
    effect_head,
    effect_rows,
    evidence_text,
    share_rows,
)

_TOP = 15  # decisions whose share is listed
_EFFECTS = 5  # decisions whose options are listed


def importance_page(found: Explanation) -> str:
    """The most important decisions and the effects of their options, as Markdown."""
    return "\n\n".join(_parts(found))


def _parts(found: Explanation) -> Iterator[str]:
    yield f"{evidence_text(found)}."
    for metric in found.metrics:
        shares = found.importance[metric.name]
        yield f"**What decides {metric.label}**"
        yield markdown_table(("decision", "share", "95 %"), share_rows(shares, _TOP))
    yield f"{BASIS[found.by]}."
    yield "**Effect of each option, against the mean of uniform draws**"
    options = [
        (path, *cells) for path in found.decisions[:_EFFECTS] for cells in effect_rows(found, path)
    ]
    yield f"Effects are in {gain_unit(found.first)}."
    yield markdown_table(("decision", "option", *effect_head(found)), options)
    yield "The worth of every choice of the winner: `nas explain RUN --ablate`."
