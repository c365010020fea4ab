"""A run in a notebook, as HTML. Text from outside is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO

from nas.core.numbers import counted
from nas.core.trial import Trial
from nas.runs.run import Run
from nas.views.columns import metrics_of, score_text, search_text
from nas.views.terminal.run import configuration_lines
from search_spaces import SearchSpace

ROWS = 15  # most rows of the front that are shown


def run_html(run: Run) -> str:
    """A line about a run, a table of its front, and a plot of it by the first two objectives."""
    front = run.front
    line = (
        f"{run.path}: {search_text(run.settings)}; {counted(len(run.trials), 'trial')}, "
        f"{len(run.failures)} failed"
    )
    parts = [f"<p>{escape(line)}</p>"]
    if front:
        parts += [front_html(run, front, _space_of(run)), _picture(run)]
    return "\n".join(parts)


def front_html(run: Run, front: Sequence[Trial], space: SearchSpace | None) -> str:
    """A table of the trials of a front, of which the last ones are shown."""
    metrics = metrics_of(run.header)
    head = ["trial", *(metric.label for metric in metrics), "seconds", "configuration"]
    rows = [
        [
            str(trial.number),
            *(score_text(metric, trial) for metric in metrics),
            f"{trial.seconds:.1f}",
            "\n".join(configuration_lines(trial, space)),
        ]
        for trial in front[-ROWS:]
    ]
    more = f", {len(front) - ROWS} more not shown" if len(front) > ROWS else ""
    return f"{_table(head, rows)}\n<p>front: {len(front)}{more}</p>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [_row("th", head), *(_row("td", cells) for cells in rows)]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _row(tag: str, cells: Iterable[str]) -> str:
    shown = (escape(cell).replace("\n", "<br>") for cell in cells)
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in shown) + "</tr>"


def _picture(run: Run) -> str:
    from nas.views.front_plot import front_figure, planes_of

    plane, file = planes_of(run.header)[0], BytesIO()
    figure = front_figure(run.trials, run.front, plane)
    figure.savefig(file, format="png", metadata={"Software": None})
    encoded = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/png;base64,{encoded}" alt="{escape(plane.title)}">'


def _space_of(run: Run) -> SearchSpace | None:
    """The space for its notation; None if it is code, which only the user may name."""
    try:
        return run.space
    except ValueError:
        return None
