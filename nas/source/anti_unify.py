"""Anti-unification: the common part of several expressions, with names where they differ.

An expression that makes a module makes a new one wherever it stands, and its name is the one module
that was passed: so each such name is used once, and never inside a repetition.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nas.source.expressions import role


@dataclass
class Differences:
    """The names of the parts that differ between expressions.

    Attributes:
        known: For each name that is preferred, the values that it has in the expressions.
        found: For each name in use, the node that it stands for in each expression.
    """

    known: Mapping[str, tuple[object, ...]]
    found: dict[str, tuple[ast.expr, ...]] = field(default_factory=dict)

    def name(self, nodes: tuple[ast.expr, ...], suggestion: str) -> ast.expr:
        """The name that stands for `nodes[i]` in expression i."""
        values = tuple(n.value if isinstance(n, ast.Constant) else ast.dump(n) for n in nodes)
        for name, before in self.found.items():
            same = tuple(map(ast.dump, before)) == tuple(map(ast.dump, nodes))
            if same and not any(map(_makes_module, nodes)):
                return ast.Name(name)
        fitting = (name for name, known in self.known.items() if known == values)
        text = first = next(fitting, suggestion)
        number = 2
        while text in self.found:
            text, number = f"{first}{number}", number + 1
        self.found[text] = nodes
        return ast.Name(text)


def anti_unify(nodes: Sequence[ast.expr], differences: Differences, suggestion: str) -> ast.expr:
    """The expression that equals each of `nodes`, once names are replaced by where they differ.

    Each constant that differs becomes a name; where the form differs, or modules that are repeated
    do, the whole expression does.
    """
    first = nodes[0]
    if all(ast.dump(node) == ast.dump(first) for node in nodes):
        return first
    suggestion = role(first) or suggestion
    if not _same_form(nodes) or _repeats_different_modules(nodes):
        return differences.name(tuple(nodes), suggestion)
    common = type(first)()
    for name, value in ast.iter_fields(first):
        values = [getattr(node, name) for node in nodes]
        setattr(common, name, _anti_unify_field(value, values, differences, suggestion))
    if (text := role(first)) is not None:
        common.role = text  # type: ignore[attr-defined]
    if hasattr(first, "comment"):
        common.comment = first.comment  # type: ignore[attr-defined]
    return common


def _anti_unify_field(
    value: object, values: list[object], differences: Differences, suggestion: str
) -> object:
    if isinstance(value, ast.keyword):
        inner = [keyword.value for keyword in values]  # type: ignore[attr-defined]
        return ast.keyword(value.arg, anti_unify(inner, differences, str(value.arg)))
    if isinstance(value, ast.expr):
        return anti_unify(values, differences, suggestion)  # type: ignore[arg-type]
    if isinstance(value, ast.comprehension):
        times = [clause.iter for clause in values]  # type: ignore[attr-defined]
        return ast.comprehension(value.target, anti_unify(times, differences, "times"), [], 0)
    if isinstance(value, list):
        columns = zip(*values, strict=True)
        return [_anti_unify_field(c[0], list(c), differences, suggestion) for c in columns]
    return value


def _same_form(nodes: Sequence[ast.expr]) -> bool:
    """True if only parts inside differ: same kind of node, number of parts, function and keywords."""
    first = nodes[0]
    if isinstance(first, ast.Constant | ast.Name | ast.Attribute):
        return False
    return all(_form(node) == _form(first) for node in nodes)


def _repeats_different_modules(nodes: Sequence[ast.expr]) -> bool:
    """True if parts of the nodes, or of lists that are parts of calls, repeat modules that differ in form."""
    for parts in zip(*map(_parts, nodes), strict=False):
        repeated = [part.value.elt for part in parts if _is_repeated(part)]
        if len(repeated) < len(nodes):
            continue
        differences = Differences({})
        anti_unify(repeated, differences, "")
        if any(_makes_module(n) for found in differences.found.values() for n in found):
            return True
    return False


def _parts(node: ast.expr) -> list[ast.expr]:
    """The items of a list; the arguments of a call, and the items of lists among them."""
    match node:
        case ast.List(items):
            return items
        case ast.Call(_, arguments):
            lists = (a.elts for a in arguments if isinstance(a, ast.List))
            return [*arguments, *(item for items in lists for item in items)]
    return []


def _is_repeated(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred) and isinstance(node.value, ast.GeneratorExp)


def _makes_module(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


def _form(node: ast.expr) -> object:
    if isinstance(node, ast.Call):
        keys = [keyword.arg for keyword in node.keywords]
        starred = [isinstance(arg, ast.Starred) for arg in node.args]
        return type(node), ast.dump(node.func), starred, keys
    return type(node), [
        len(value) if isinstance(value, list) else None for _, value in ast.iter_fields(node)
    ]
