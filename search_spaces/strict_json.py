"""JSON from strangers: nothing ambiguous, nothing infinite, nothing bottomless."""

import json
import math
from typing import Any

MAX_CHARACTERS = 10_000_000
MAX_DEPTH = 64


def loads(text: str) -> Any:
    """Parse one JSON document.

    Raises:
        ValueError: in one line: not JSON, a repeated key, NaN or infinity (`1e400` too),
            an integer of over 300 digits, over 64 levels of nesting, over 10 million characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"want JSON of at most {MAX_CHARACTERS} characters, got {len(text)}")
    _check_depth(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"want JSON, got something else at {where}: {error.msg}") from None


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Write one JSON document: sorted keys, so that equal values are equal texts; no NaN."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, sort_keys=True, indent=indent, separators=separators, allow_nan=False)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth, quoted, escaped = 0, False, False
    for character in text:
        if quoted:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"want JSON of at most {MAX_DEPTH} levels of nesting, got more")
        elif character in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
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
    if len(text) > 300:
        raise ValueError(f"want integers of at most 300 digits, got {len(text)}")
    return int(text)
