"""Statements on a search as it was understood: pairs of a subject and a sentence.

They are printed before the first trial and stand in `run.json`, in reports and in the cards of
bundles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple, TypeAlias

from nas.core import schema

Line: TypeAlias = tuple[str, str]  # a subject, such as "task", and what is said of it

WIDTH = 80  # columns
_LONGEST = 2_000  # characters that are said of a subject
_OWN = ("device", "folder")  # of the machine of the search


class Choice(NamedTuple):
    """A setting that was chosen for the data because none was given.

    Attributes:
        name: The setting: "space", "warm_start", "objectives" or "recipe".
        value: Its value as text.
        why: The reason in a few words.
    """

    name: str
    value: str
    why: str


def line(subject: str, said: str) -> Line:
    """A line that is safe to print and to store: names of classes may have any characters."""
    shown = schema.visible(said)
    return subject, shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def aligned(lines: Iterable[Line], width: int = WIDTH, least: int = 0) -> Iterator[str]:
    """Yield the lines as text, with all subjects in a column of their own, of a least width.

    A path or another word that is longer than a line is not broken, so that it can be copied.
    """
    lines = list(lines)
    column = max(least, 2 + max((len(subject) for subject, _ in lines), default=0))
    for subject, said in lines:
        parts = wrap(said, width - column, break_on_hyphens=False, break_long_words=False)
        for part in parts or [""]:
            yield f"{subject:<{column}}{part}".replace("\u00a0", " ").rstrip()
            subject = ""


def for_others(lines: Iterable[Line], paths: Iterable[str]) -> Iterator[Line]:
    """Yield the lines for readers elsewhere: no device, no folders of this machine.

    Args:
        lines: The lines of a run.
        paths: Data, and references to the user's code, which may stand in them with folders.
    """
    names = {path: Path(path).name for path in paths if Path(path).name}
    for subject, said in lines:
        if subject not in _OWN:
            for path, name in names.items():
                said = said.replace(path, name)
            yield subject, said


SAID = schema.items(schema.items(schema.text(_LONGEST), 2, 2), most=100)
