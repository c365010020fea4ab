"""Documents that are not what they should be, made systematically from one that is.

Every part of a valid document is left out, doubled, put in another type, out of all bounds and in
words that JSON does not have, one fault at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

# No architecture, run or trial has one of these where it has something else.
JUNK: tuple[Any, ...] = (
    *(None, True, -1, 0.123456789, 10**299, "", "\x1b[2Jgone", [[[]]], {"x": {"y": []}}),
    *("../../etc/passwd", "x" * 5_000, ["x"] * 5_000),
)
# In place of a part, as text: no JSON, or JSON that is refused whatever it stands for.
RAW = (
    *("NaN", "-Infinity", "1e400", "-1e999", "9" * 301, "01", "0x10", "'a'", "nul", "", "\x00"),
    *('"\\ud800"', '"\\u"', '{"a":1,"a":1}', "[" * 65 + "]" * 65, "[" * 5_000, '"', "1_000", "+1"),
)
_MARK = "@here@"

Path = tuple[Any, ...]


class Malformed(NamedTuple):
    """A document with one fault."""

    fault: str
    path: Path
    text: str
    always: bool  # whether it is wrong whatever stands there: else another value may be right


def malformed(document: Any, *, raw: bool = True) -> Iterator[Malformed]:
    """Every fault at every place of `document`."""
    for path, part in parts(document):
        for junk in JUNK:
            if type(junk) is not type(part) or isinstance(part, str):
                yield _put("another type", document, path, junk)
        if isinstance(part, dict):
            yield _put("a field too many", document, path, {**part, "unknown_field": 1}, True)
        if isinstance(part, list) and part:
            yield _put("no items", document, path, [])
            yield _put("an item of another kind", document, path, [*part[:-1], {"x": 1}], True)
            yield _put("items a thousand times", document, path, part * 1_000)
        if path and isinstance(path[-1], str):
            yield _without(document, path)
            yield _twice(document, path, part)
        for text in RAW if raw else ():
            marked = json.dumps(_replaced(document, path, _MARK))
            yield Malformed(
                f"{text[:12]!r} in its place", path, marked.replace(json.dumps(_MARK), text), True
            )
    text = json.dumps(document)
    for fault, other in (
        ("cut", text[: len(text) // 2]),
        ("twice", text + text),
        ("more behind it", text + "]"),
        ("a byte order mark", "\ufeff" + text),
        ("spaces without end", " " * 2_000_000 + text),
    ):
        yield Malformed(fault, (), other, True)


def parts(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every part of a document with its path, the whole first."""
    yield path, value
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from parts(item, (*path, name))


def _put(fault: str, document: Any, path: Path, value: Any, always: bool = False) -> Malformed:
    text = json.dumps(_replaced(document, path, value))
    return Malformed(f"{fault}: {str(value)[:30]!r}", path, text, always)


def _without(document: Any, path: Path) -> Malformed:
    changed = deepcopy(document)
    del _at(changed, path[:-1])[path[-1]]
    return Malformed("missing", path, json.dumps(changed), True)


def _twice(document: Any, path: Path, part: Any) -> Malformed:
    marked = json.dumps(_replaced(document, path, _MARK))
    twice = f"{json.dumps(part)}, {json.dumps(path[-1])}: {json.dumps(part)}"
    return Malformed("named twice", path, marked.replace(json.dumps(_MARK), twice), True)


def _replaced(document: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    changed = deepcopy(document)
    _at(changed, path[:-1])[path[-1]] = value
    return changed


def _at(document: Any, path: Path) -> Any:
    for name in path:
        document = document[name]
    return document
