"""Trees of decisions as plain data, for documents: reading one runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.tree.choice import Choice
from search_spaces.tree.compositions import Repeat, Struct
from search_spaces.tree.node import Node
from search_spaces.tree.ranges import Integer, Real
from search_spaces.tree.values import Scalar, freeze, thaw

DEEPEST = 50  # nested nodes


def to_plain(node: Node) -> dict[str, Any]:
    """The tree as dicts, lists and scalars.

    Raises:
        ValueError: it has a node that only code can describe.
    """
    match node:
        case Struct():
            return {"struct": [[name, to_plain(field)] for name, field in node.fields.items()]}
        case Choice():
            return {"choice": [_option(option) for option in node.options]}
        case Integer():
            return {"integer": [node.low, node.high, node.step]}
        case Real():
            return {"real": [node.low, node.high, node.log]}
        case Repeat():
            return {"repeat": [to_plain(node.item), node.low, node.high]}
    raise ValueError(f"want a tree of Struct, Choice, Integer, Real and Repeat, got {node!r}")


def from_plain(data: object, depth: int = 0) -> Node:
    """The tree that `to_plain` wrote.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(data, Mapping) or len(data) != 1 or depth > DEEPEST:
        raise ValueError(f"tree: want an object with one of {', '.join(_KINDS)}, got {data!r:.80}")
    ((kind, content),) = data.items()
    try:
        match kind, content:
            case "struct", list():
                return Struct(**{name: from_plain(field, depth + 1) for name, field in content})
            case "choice", list():
                return Choice(*(_from_option(option, depth) for option in content))
            case "integer", [int(low), int(high), int(step)]:
                return Integer(low, high, step=step)
            case "real", [(float() | int()) as low, (float() | int()) as high, bool(log)]:
                return Real(low, high, log=log)
            case "repeat", [item, int(low), int(high)]:
                return Repeat(from_plain(item, depth + 1), low, high)
    except TypeError:  # no pair, or a name that is no text
        raise ValueError(f"tree: want pairs of a name and a tree, got {content!r:.40}") from None
    raise ValueError(f"tree: want one of {', '.join(_KINDS)}, got {kind!r:.40}: {content!r:.40}")


_KINDS = ("struct", "choice", "integer", "real", "repeat")


def _option(option: object) -> dict[str, Any]:
    return to_plain(option) if isinstance(option, Node) else {"value": thaw(option)}


def _from_option(option: object, depth: int) -> Node | Scalar:
    if isinstance(option, Mapping) and option.keys() == {"value"}:
        value: Scalar = freeze(option["value"])
        return value
    return from_plain(option, depth + 1)
