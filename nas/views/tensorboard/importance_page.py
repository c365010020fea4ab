"""Importance of decisions as a page of text."""

from __future__ import annotations

from collections.abc import Iterator

from nas.analysis.explanation.explain import Explanation
from nas.views.tensorboard.pages import markdown_table
from nas.views.terminal.explanation import BASIS, effect_rows, evidence_text, share_rows

_TOP = 15  # decisions whose share is listed
_EFFECTS = 5  # decisions whose options are listed


def importance_page(found: Explanation) -> str:
    """The most important decisions and the effects of their options, as Markdown."""
    return "\n\n".join(_parts(found))


def _parts(found: Explanation) -> Iterator[str]:
    yield f"{evidence_text(found)}."
    for score, shares in found.importance.items():
        yield f"**What decides {score}**"
        yield markdown_table(("decision", "share", "95 %"), share_rows(shares, _TOP))
    yield f"{BASIS[found.by]}."
    yield "**Effect of each option, against the mean of uniform draws**"
    options = [
        (path, *cells)
        for path in list(found.importance["accuracy"])[:_EFFECTS]
        for cells in effect_rows(found.effects[path])
    ]
    head = ("decision", "option", "trials", "seen, %", "effect, points of accuracy", "size")
    yield markdown_table(head, options)
    yield "The worth of every choice of the winner: `nas explain RUN --ablate`."
