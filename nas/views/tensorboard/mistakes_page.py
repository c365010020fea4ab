"""Mistakes of a trial as a page of text."""

from __future__ import annotations

from collections.abc import Iterator

from nas.analysis.mistakes.report import Mistakes
from nas.views.tensorboard.pages import markdown_table
from nas.views.terminal import mistakes

_ROWS = 50  # most classes, labels or targets


def mistakes_page(found: Mistakes | str, trial: int) -> str:
    """Metrics by class, label or target, confused classes and the worst examples, as Markdown."""
    if isinstance(found, str):
        return f"{found[0].upper()}{found[1:]}."
    return "\n\n".join(_parts(found, trial))


def _parts(found: Mistakes, trial: int) -> Iterator[str]:
    yield f"**Trial {trial}, the best: {mistakes.title(found)}**"
    if len(found.parts) > _ROWS:
        yield f"The worst {_ROWS} of {len(found.parts):,}:"
    yield markdown_table(mistakes.part_head(found), mistakes.part_rows(found, _ROWS))
    if found.confused:
        unit = "pixels" if found.task == "segmentation" else "examples"
        yield "**Most confused classes**"
        yield markdown_table(("true", "predicted", unit), mistakes.confused_rows(found))
    if found.worst:
        title = mistakes.worst_title(found)
        yield f"**{title[0].upper()}{title[1:]}**"
        yield markdown_table(mistakes.worst_head(found), mistakes.worst_rows(found))
    yield "Of another trial: `nas show RUN TRIAL`."
