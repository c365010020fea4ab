"""Validators for untrusted JSON documents, field by field.

A check takes a value and its path in the document, and raises a ValueError of one line: the path,
what was wanted, what was got.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

Check: TypeAlias = Callable[[object, str], None]

LARGE = 2**63 - 1  # no count in a document is larger
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def refuse(path: str, wanted: str, got: object) -> ValueError:
    """The error of a value that is not allowed."""
    shown = repr(got) if isinstance(got, str | int | float | None) else type(got).__name__
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return ValueError(f"{path}: want {wanted}, got {shown}")


def whole(low: int = 0, high: int = LARGE) -> Check:
    """An integer in a range, both ends included."""

    def check(value: object, path: str) -> None:
        if type(value) is not int or not low <= value <= high:
            upper = "" if high == LARGE else f" to {high}"
            raise refuse(path, f"a whole number from {low}{upper}", value)

    return check


def number(low: float, high: float) -> Check:
    """A number in a range, both ends included."""

    def check(value: object, path: str) -> None:
        if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator]
            raise refuse(path, f"a number from {low:g} to {high:g}", value)

    return check


def text(most: int = 1_000, pattern: str = "") -> Check:
    """A text of one line without characters that control a terminal."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, str) or len(value) > most or _CONTROL.search(value):
            raise refuse(path, f"a line of at most {most} characters", value)
        if pattern and not re.fullmatch(pattern, value):
            raise refuse(path, f"a text that matches {pattern}", value)

    return check


def lines(most: int) -> Check:
    """A text of any number of lines."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, str) or len(value) > most:
            raise refuse(path, f"a text of at most {most} characters", value)

    return check


def flag(value: object, path: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise refuse(path, "true or false", value)


def anything(value: object, path: str) -> None:
    """Any value."""


def scalar(value: object, path: str) -> None:
    """A number, a text, true, false or null."""
    if isinstance(value, str):
        text()(value, path)
    elif not isinstance(value, bool | int | float | None):
        raise refuse(path, "a number, a text, true, false or null", value)


def one_of(options: Collection[str]) -> Check:
    """One of these texts."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, str) or value not in options:
            raise refuse(path, f"one of {', '.join(options)}", value)

    return check


def maybe(inner: Check) -> Check:
    """Null, or a value that `inner` allows."""

    def check(value: object, path: str) -> None:
        if value is not None:
            inner(value, path)

    return check


def items(inner: Check, least: int = 0, most: int = LARGE) -> Check:
    """A list."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            upper = "" if most == LARGE else f" to {most}"
            got = len(value) if isinstance(value, list | tuple) else value
            raise refuse(path, f"a list of {least}{upper} items", got)
        for position, item in enumerate(value):
            inner(item, f"{path}[{position}]")

    return check


def mapping(inner: Check, **known: Check) -> Check:
    """An object with any names: values of `known` names pass their checks, all others `inner`."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise refuse(path, "an object", value)
        for name, item in value.items():
            _NAME(name, f"{path}: a name")
            known.get(name, inner)(item, f"{path}.{name}")

    return check


def record(fields: Mapping[str, Check], *, others: bool = False) -> Check:
    """An object with these fields, and with no others unless `others`."""

    def check(value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise refuse(path, f"an object with {', '.join(fields)}", value)
        if missing := [name for name in fields if name not in value]:
            raise ValueError(f"{path}: want the field {missing[0]!r}, got none")
        if not others and (unknown := [name for name in value if name not in fields]):
            raise ValueError(
                f"{path}: want the fields {', '.join(fields)}, got {str(unknown[0])[:60]!r} too"
            )
        for name, inner in fields.items():
            inner(value[name], f"{path}.{name}")

    return check


_NAME = text(200)


def visible(line: str) -> str:
    """`line` for a terminal: characters that would control it are shown as escape codes."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), line)
