"""What several expressions of one form have in common, and where they differ."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nas.source.expressions import role


@dataclass
class Differences:
    """Names for what differs: numbers by what they are in every one of the expressions.

    Args:
        known: The values that are already known by a name.
    """

    known: Mapping[str, tuple[object, ...]]
    found: dict[str, tuple[ast.expr, ...]] = field(default_factory=dict)

    def name(self, nodes: tuple[ast.expr, ...], suggestion: str) -> ast.expr:
        """The name for what is `nodes[i]` in expression i."""
        values = tuple(n.value if isinstance(n, ast.Constant) else ast.dump(n) for n in nodes)
        for name, before in self.found.items():
            if tuple(map(ast.dump, before)) == tuple(map(ast.dump, nodes)):
                return ast.Name(name)
        fitting = (name for name, known in self.known.items() if known == values)
        text = chosen = next(fitting, suggestion)
        number = 2
        while text in self.found:
            text, number = f"{chosen}{number}", number + 1
        self.found[text] = nodes
        return ast.Name(text)


def anti_unify(nodes: Sequence[ast.expr], differences: Differences, suggestion: str) -> ast.expr:
    """The expression that all `nodes` are, but for names where they differ.

    Constants that differ become names each; where the form differs, the whole expression does.
    """
    first = nodes[0]
    if all(ast.dump(node) == ast.dump(first) for node in nodes):
        return first
    suggestion = role(first) or suggestion
    if not _same_form(nodes):
        return differences.name(tuple(nodes), suggestion)
    made = type(first)()
    for name, value in ast.iter_fields(first):
        values = [getattr(node, name) for node in nodes]
        setattr(made, name, _unify_field(value, values, differences, suggestion))
    if (text := role(first)) is not None:
        made.role = text  # type: ignore[attr-defined]
    if hasattr(first, "comment"):
        made.comment = first.comment  # type: ignore[attr-defined]
    return made


def _unify_field(
    value: object, values: list[object], differences: Differences, suggestion: str
) -> object:
    if isinstance(value, ast.keyword):
        inner = [keyword.value for keyword in values]  # type: ignore[attr-defined]
        return ast.keyword(value.arg, anti_unify(inner, differences, str(value.arg)))
    if isinstance(value, ast.expr):
        return anti_unify(values, differences, suggestion)  # type: ignore[arg-type]
    if isinstance(value, list):
        columns = zip(*values, strict=True)
        return [_unify_field(c[0], list(c), differences, suggestion) for c in columns]
    return value


def _same_form(nodes: Sequence[ast.expr]) -> bool:
    """Whether only parts inside differ: the same kind of node, with as many parts, called alike."""
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
