"""Genotypes: the notation of DARTS for a pair of cells, read and written.

    Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ...], normal_concat=range(2, 6),
             reduce=[...], reduce_concat=[2, 3, 4, 5])

Two entries make a node: an operation and the state that it reads, twice. States 0 and 1 are the
outputs of the two cells before, node 2 the first of the cell's own. `..._concat` are the nodes
whose concatenated outputs are the cell's. As JSON the same is an object with those four keys.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from search_spaces import strict_json
from search_spaces.dag import Dag

Entry: TypeAlias = tuple[str, int]  # operation, state

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
EXTENDED_OPERATIONS = (*OPERATIONS, "sep_conv_7x7", "conv_7x1_1x7")  # of NASNet and AmoebaNet
KEYS = ("normal", "normal_concat", "reduce", "reduce_concat")
_MAX_CHARACTERS = 20_000


class CellGenotype(NamedTuple):
    """One cell: two entries for each node, and the nodes that are concatenated."""

    entries: tuple[Entry, ...]
    concat: tuple[int, ...]


def drawn(cell: CellGenotype) -> Dag:
    """A cell as Figure 4 of the paper has it: two cells before, sums, and their concatenation."""
    last = 1 + len(cell.entries) // 2
    edges = [(state, 2 + index // 2, op) for index, (op, state) in enumerate(cell.entries)]
    edges += [(node, last + 1, "") for node in cell.concat]
    return Dag(("input 0", "input 1", *map(str, range(2, last + 1)), "output"), tuple(edges))


def read_genotype(text: str) -> tuple[CellGenotype, CellGenotype]:
    """The normal and the reduction cell of a genotype, in either notation.

    Raises:
        ValueError: it is neither; says in one line what was wanted and got.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"want a genotype of at most {_MAX_CHARACTERS} characters, got more")
    try:
        fields = strict_json.loads(text) if text.lstrip().startswith("{") else _call(text)
    except RecursionError:
        raise ValueError(f"want a genotype, got one without a bottom: {text[:80]!r}") from None
    if not isinstance(fields, Mapping) or set(fields) != set(KEYS):
        raise ValueError(f"want a genotype with {', '.join(KEYS)}, got {text[:80]!r}")
    return _cell(fields, "normal"), _cell(fields, "reduce")


def write_genotype(normal: CellGenotype, reduce: CellGenotype) -> str:
    """The inverse of `read_genotype`."""
    return (
        f"Genotype(normal={list(normal.entries)}, normal_concat={_span(normal.concat)}, "
        f"reduce={list(reduce.entries)}, reduce_concat={_span(reduce.concat)})"
    )


def genotype_as_json(normal: CellGenotype, reduce: CellGenotype) -> str:
    """The same as JSON."""
    cells = zip(("normal", "reduce"), (normal, reduce), strict=True)
    return strict_json.dumps(
        {k: v for name, c in cells for k, v in ((name, c.entries), (f"{name}_concat", c.concat))}
    )


def _span(concat: tuple[int, ...]) -> str:
    span = range(concat[0], concat[-1] + 1)
    return f"range({span.start}, {span.stop})" if tuple(span) == concat else str(list(concat))


def _call(text: str) -> dict[str, Any]:
    """The arguments of `Genotype(...)`: literals and ranges, nothing is evaluated."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"want Genotype(normal=[...], ...), got {text[:80]!r}") from None
    named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    if not named or call.func.id != "Genotype" or call.args:  # type: ignore[attr-defined]
        raise ValueError(f"want Genotype(normal=[...], ...), got {text[:80]!r}")
    assert isinstance(call, ast.Call)
    fields: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in fields:
            raise ValueError(f"want each of {', '.join(KEYS)} once, got {text[:80]!r}")
        fields[keyword.arg] = _literal(keyword.value)
    return fields


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=str() | int() as value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.Call(func=ast.Name(id="range"), args=arguments, keywords=[]):
            limits = [_literal(argument) for argument in arguments]
            small = all(type(limit) is int and 0 <= limit <= 32 for limit in limits)
            if small and 1 <= len(limits) <= 2:
                return list(range(*limits))
    raise ValueError(f"want lists, names, numbers and range(2, 6), got {ast.unparse(node)[:80]!r}")


def _cell(fields: Mapping[str, Any], name: str) -> CellGenotype:
    entries, concat = fields[name], fields[f"{name}_concat"]
    if not isinstance(entries, list) or not 2 <= len(entries) <= 32 or len(entries) % 2:
        raise ValueError(f"{name}: want two entries for each node, got {str(entries)[:80]}")
    for entry in entries:
        if not (
            isinstance(entry, list)
            and len(entry) == 2
            and isinstance(entry[0], str)
            and type(entry[1]) is int
        ):
            raise ValueError(f"{name}: want entries (operation, state), got {str(entry)[:80]}")
    if not isinstance(concat, list) or not all(type(node) is int for node in concat):
        raise ValueError(f"{name}_concat: want a list of nodes, got {str(concat)[:80]}")
    if not concat or len(set(concat)) < len(concat):
        raise ValueError(f"{name}_concat: want each node once, got {str(concat)[:80]}")
    return CellGenotype(tuple((op, state) for op, state in entries), tuple(sorted(concat)))
