"""Notations of architectures and paths of decisions, wrapped between their words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

# Behind a run of separators, and behind the dot of a path: not in nor_conv_3x3, 0->1 or 0.05.
_BREAK = re.compile(r"(?<=[|+,;:/ ])(?![|+,;:/ ])|(?<=\.)(?=[A-Za-z_])")


class Wrapped:
    """A text in a cell of a table that is broken between words where the width allows it.

    Args:
        text: A text whose words end with a blank or one of `|+,;:/`.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in wrapped(self._text, options.max_width):
            yield Text(line, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        lines = self._text.splitlines() or [""]
        least = max(cell_len(word.rstrip()) for line in lines for word in _BREAK.split(line))
        return Measurement(least, max(map(cell_len, lines))).with_maximum(options.max_width)


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield lines of at most `width` cells; a word is broken only if it is longer than a line."""
    for given in text.splitlines():
        line = ""
        for word in _BREAK.split(given):
            if line and cell_len(line + word.rstrip()) > width:
                yield line.rstrip()
                line = ""
            rest = word
            while cell_len(rest.rstrip()) > width:
                yield rest[:width]
                rest = rest[width:]
            line += rest
        yield line.rstrip()
