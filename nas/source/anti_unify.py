"""Anti-unification: the common part of several expressions, with names where they differ."""

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
            if tuple(map(ast.dump, before)) == tuple(map(ast.dump, nodes)):
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

    Each constant that differs becomes a name; where the form differs, the whole expression does.
    """
    first = nodes[0]
    if all(ast.dump(node) == ast.dump(first) for node in nodes):
        return first
    suggestion = role(first) or suggestion
    if not _same_form(nodes):
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


def _form(node: ast.expr) -> object:
    if isinstance(node, ast.Call):
        keys = [keyword.arg for keyword in node.keywords]
        starred = [isinstance(arg, ast.Starred) for arg in node.args]
        return type(node), ast.dump(node.func), starred, keys
    return type(node), [
        len(value) if isinstance(value, list) else None for _, value in ast.iter_fields(node)
    ]
