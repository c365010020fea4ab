"""Mistakes of a trial as lines of at most 80 columns, and as the tables that other views share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from nas.analysis.mistakes.report import Mistakes, value_text
from nas.core.numbers import counted
from nas.views.drawings.text import WIDTH

MOST_CLASSES = 12  # of a confusion matrix that is shown whole
MOST_ROWS = 12  # of a table
_NAME = 14  # columns of a name

Row = tuple[str, ...]

_PART = {"multilabel": "label", "regression": "target"}
_SIZE = {
    "classification": "probability",
    "multilabel": "probability",
    "regression": "deviations",
    "segmentation": "pixels wrong",
}
_WORST = {
    "classification": "most confidently wrong",
    "multilabel": "most confidently wrong",
    "regression": "largest errors",
    "segmentation": "most pixels wrong",
}


def mistakes_lines(found: Mistakes | str) -> Iterator[str]:
    """Yield the lines on the mistakes of a trial, or the one that says why they are unknown."""
    yield ""
    if isinstance(found, str):
        yield from wrap(found, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        return
    yield title(found)
    yield from _matrix(found)
    yield ""
    shown = found.parts if len(found.parts) <= MOST_ROWS else found.worst_parts[:MOST_ROWS]
    if len(shown) < len(found.parts):
        yield f"  the worst {len(shown)} of {len(found.parts):,}"
    yield from _table(part_head(found), part_rows(found, len(shown)), texts=1)
    if found.worst:
        yield ""
        yield f"  {worst_title(found)}"
        head = worst_head(found)
        yield from _table(head, worst_rows(found), texts=len(head) - 2, first_is_number=True)


def title(found: Mistakes) -> str:
    """The number of examples with a mistake, in words."""
    examples = counted(found.examples, "example")
    if found.wrong is None:
        return f"errors on validation data of {examples}"
    share = found.wrong / found.examples
    return f"mistakes on validation data: {found.wrong:,} of {examples} wrong ({share:.1%})"


def worst_title(found: Mistakes) -> str:
    """The title of the table of the worst examples."""
    return f"{_WORST[found.task]}, by row of the {'split' if found.of_split else 'data'} from 0"


def part_head(found: Mistakes) -> Row:
    """The head of the table of classes, labels or targets."""
    return (_PART.get(found.task, "class"), *found.columns)


def part_rows(found: Mistakes, most: int | None = None) -> list[Row]:
    """The classes, labels or targets with their metrics; with fewer than all, the worst first."""
    all_shown = most is None or most >= len(found.parts)
    parts = found.parts if all_shown else found.worst_parts[:most]
    return [
        (
            part.name,
            *(value_text(c, v) for c, v in zip(found.columns, part.values, strict=True)),
        )
        for part in parts
    ]


def worst_head(found: Mistakes) -> Row:
    """The head of the table of the worst examples."""
    between = () if found.task == "segmentation" else ("true", "predicted")
    return ("row", *between, _SIZE[found.task])


def worst_rows(found: Mistakes) -> list[Row]:
    """The worst examples: row of the split, target, prediction, size of the mistake."""
    return [
        (
            str(wrong.row),
            *(() if found.task == "segmentation" else (wrong.truth, wrong.predicted)),
            f"{wrong.size:.2f}" if found.task == "regression" else f"{wrong.size:.1%}",
        )
        for wrong in found.worst
    ]


def confused_rows(found: Mistakes, most: int = MOST_ROWS) -> list[Row]:
    """The pairs of classes that are confused the most: true class, predicted class, count."""
    names = [part.name for part in found.parts]
    return [
        (names[true], names[predicted], f"{count:,}")
        for true, predicted, count in found.confused[:most]
    ]


def _matrix(found: Mistakes) -> Iterator[str]:
    """The confusion matrix, or the pairs that are confused the most; nothing without one."""
    if not found.confused:
        return
    names = [part.name for part in found.parts]
    unit = "pixels" if found.task == "segmentation" else "examples"
    if len(names) > MOST_CLASSES:
        yield f"  most confused classes, in {unit}"
        yield from _table(("true", "predicted", unit), confused_rows(found), texts=2)
        return
    matrix = found.matrix
    if found.task == "segmentation":
        sums = matrix.sum(axis=1, keepdims=True).clip(min=1)
        cells = [[f"{value:.0%}" if value else "." for value in row] for row in matrix / sums]
        unit = "share of the true pixels"
    else:
        cells = [[f"{value}" if value else "." for value in row] for row in matrix.tolist()]
    yield f"  true classes in rows, predicted in columns, {unit}"
    yield from _grid(names, cells)


def _grid(names: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """A square of cells; where the names do not fit over the columns, these have numbers."""
    first = min(_NAME, max(map(len, names)))
    widest = max(len(cell) for row in cells for cell in row)
    width = (WIDTH - 2 - first) // len(names)
    heads, rows = list(names), [name[:first] for name in names]
    if max(map(len, names)) >= width:
        heads = [str(number) for number in range(1, len(names) + 1)]
        rows = [f"{number:>2} {name[:first]}" for number, name in enumerate(names, start=1)]
        first += 3
    width = min(max(widest, *map(len, heads)) + 1, (WIDTH - 2 - first) // len(names))
    yield f"  {'':<{first}}" + "".join(f"{head:>{width}}" for head in heads)
    for name, row in zip(rows, cells, strict=True):
        yield f"  {name:<{first}}" + "".join(f"{cell:>{width}}" for cell in row)


def _table(
    head: Row, rows: Sequence[Row], *, texts: int, first_is_number: bool = False
) -> Iterator[str]:
    """Lines of a table whose first columns are texts, cut to fit, and whose others are numbers."""
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    start = int(first_is_number)
    left = range(start, start + texts)
    room = WIDTH - 2 - 2 * (len(head) - 1) - sum(w for n, w in enumerate(widths) if n not in left)
    for place in left:
        widths[place] = min(widths[place], room // max(1, texts))
    for line in lines:
        cells = [
            f"{cell[:width]:<{width}}" if place in left else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield ("  " + "  ".join(cells)).rstrip()
