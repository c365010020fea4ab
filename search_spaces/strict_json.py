"""Strict JSON for untrusted documents: no repeated keys, no NaN or infinity, bounded depth and size.

A document is refused before memory is spent on it, and `dumps` writes only what `loads` reads.
"""

import json
import math
import re
from collections import Counter
from sys import intern
from typing import Any, NamedTuple


class Bounds(NamedTuple):
    """Largest size of a document."""

    characters: int
    values: int  # at all levels together


UNTRUSTED = Bounds(1_000_000, 50_000)  # refused or read in milliseconds
TRUSTED = Bounds(1_000_000_000, 100_000_000)  # for documents that this toolkit wrote
MAX_DEPTH = 64
MAX_DIGITS = 300

# Possessive quantifiers: a string without its closing quote fails at once, without backtracking.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^][{}]+")
_TO_SQUARE = str.maketrans("{}", "[]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def loads(text: str, bounds: Bounds = UNTRUSTED) -> Any:
    """Parse one JSON document.

    Raises:
        ValueError: the text is not JSON, has a repeated key, NaN or infinity (`1e400` too), an
            integer of over 300 digits, a lone surrogate or over 64 levels of nesting, or is too
            large; one line.
    """
    _check_size(text, bounds)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"want JSON, got something else at {where}: {error.msg}") from None
    if "\\u" in text or _SURROGATE.search(text):
        _check_characters(value)
    return value


def dumps(value: Any, bounds: Bounds = UNTRUSTED, *, indent: int | None = None) -> str:
    """Write one JSON document with sorted keys: equal values are equal texts.

    Raises:
        ValueError: `loads` would refuse it.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, sort_keys=True, indent=indent, separators=separators, allow_nan=False)
    _check_size(text, bounds)
    if "\\ud" in text:
        _check_characters(value)
    return text


def _check_size(text: str, bounds: Bounds) -> None:
    if len(text) > bounds.characters:
        raise ValueError(
            f"want JSON of at most {bounds.characters:,} characters, got {len(text):,}"
        )
    opened = text.count("[") + text.count("{")
    if text.count(",") + opened <= min(bounds.values, MAX_DEPTH):
        return
    bare = _STRING.sub("", text)
    if bare.count(",") + bare.count("[") + bare.count("{") > bounds.values:
        raise ValueError(f"want JSON of at most {bounds.values:,} values, got more")
    if opened > MAX_DEPTH:
        _check_depth(_NOT_BRACKETS.sub("", bare).translate(_TO_SQUARE))


def _check_depth(brackets: str) -> None:
    """Remove all innermost pairs of brackets, as many times as there may be levels."""
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace("[]", "")
    if brackets:
        raise ValueError(
            f"want JSON of at most {MAX_DEPTH} levels of nesting, all of them closed, got more"
        )


def _check_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("want whole characters, got a lone surrogate in a text") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = {intern(name): value for name, value in pairs}  # the same few in every message
    if len(fields) < len(pairs):
        times = Counter(name for name, _ in pairs)
        repeated = next(name for name, count in times.items() if count > 1)
        raise ValueError(f"want each key once, got {repeated[:40]!r} twice")
    return fields


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"want finite numbers, got {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"want finite numbers, got {text[:40]}")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"want integers of at most {MAX_DIGITS} digits, got {len(text)}")
    return int(text)
