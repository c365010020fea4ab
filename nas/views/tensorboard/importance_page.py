"""What every decision matters, as a page of text."""

from __future__ import annotations

from collections.abc import Iterator

from nas.analysis.explanation.explain import Explanation
from nas.views.tensorboard.pages import markdown_table
from nas.views.terminal.explanation import BASIS, effect_rows, evidence_text, share_rows

_TOP = 15  # decisions whose share is told
_EFFECTS = 5  # decisions of which every option is


def importance_page(found: Explanation) -> str:
    """The shares of the decisions that matter most, and what their options do, as Markdown."""
    return "\n\n".join(_parts(found))


def _parts(found: Explanation) -> Iterator[str]:
    yield f"{evidence_text(found)}."
    for score, shares in found.importance.items():
        yield f"**What decides {score}**"
        yield markdown_table(("decision", "share", "95 %"), share_rows(shares, _TOP))
    yield f"{BASIS[found.by]}."
    yield "**What each option does, against the mean of uniform draws**"
    options = [
        (path, *cells)
        for path in list(found.importance["accuracy"])[:_EFFECTS]
        for cells in effect_rows(found.effects[path])
    ]
    head = ("decision", "option", "trials", "seen, %", "effect, points of accuracy", "size")
    yield markdown_table(head, options)
    yield "What every choice of the winner is worth: `nas explain RUN --ablate`."
