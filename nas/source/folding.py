"""Constant folding and removal of dead branches in the source of a method."""

from __future__ import annotations

import ast
import copy
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

Lookup = Callable[[str], ast.expr | None]  # the value of a constant of the module

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_PASSES = 8  # at most: one pass may find constants that the next can use


def fold_method(
    node: ast.FunctionDef,
    values: Mapping[str, ast.expr],
    attributes: Mapping[str, ast.expr],
    lookup: Lookup,
) -> ast.FunctionDef:
    """Fold the constants of a method, and drop the branches that they rule out.

    Args:
        node: The method; it is not changed.
        values: Constants, by the name of the variable.
        attributes: Constants, by the name of the attribute of `self`.
        lookup: Returns the value of a constant of the module, or None.
    """
    node = copy.deepcopy(node)
    known = dict(values)
    for _ in range(_PASSES):
        before = ast.dump(node)
        folder = _Folder(known, attributes, lookup)
        node.body = folder.block(node.body)
        known |= _constants(node)
        node.body = [s for s in node.body if not _assigns(s, known)]
        if ast.dump(node) == before:
            break
    node.body = node.body or [ast.Pass()]
    return node


def constant_attributes(methods: list[ast.FunctionDef]) -> dict[str, ast.expr]:
    """The attributes of `self` that are assigned once, and a constant, with that constant."""
    assigned: dict[str, list[ast.expr | None]] = {}
    for node in (child for method in methods for child in ast.walk(method)):
        for target in _targets(node):
            if isinstance(target, ast.Attribute) and _is_own(target):
                assigned.setdefault(target.attr, []).append(getattr(node, "value", None))
    return {
        attribute: values[0]
        for attribute, values in assigned.items()
        if len(values) == 1 and isinstance(values[0], ast.Constant)
    }


def without_attributes(node: ast.FunctionDef, names: Mapping[str, ast.expr]) -> None:
    """Drop the assignments of those attributes from a method."""
    node.body = [
        statement
        for statement in node.body
        if not any(
            isinstance(t, ast.Attribute) and _is_own(t) and t.attr in names
            for t in _targets(statement)
        )
    ]


class _Folder(ast.NodeTransformer):
    def __init__(
        self, values: Mapping[str, ast.expr], attributes: Mapping[str, ast.expr], lookup: Lookup
    ) -> None:
        self._values, self._attributes, self._lookup = values, attributes, lookup

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        folded: list[ast.stmt] = []
        for node in body:
            found = self.visit(node)
            folded += found if isinstance(found, list) else [found] if found else []
        return folded

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self._values:
            return copy.deepcopy(self._values[node.id])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load) and _is_own(node) and node.attr in self._attributes:
            return copy.deepcopy(self._attributes[node.attr])
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return _computed(node, type(node.op), node.left, node.right)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if len(node.ops) != 1:
            return node
        return _computed(node, type(node.ops[0]), node.left, node.comparators[0])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant):
            return ast.Constant(not node.operand.value)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        stops = isinstance(node.op, ast.Or)  # the truth value of an operand that decides the result
        left = []
        for value in node.values:
            if not isinstance(value, ast.Constant):
                left.append(value)
            elif bool(value.value) is stops:
                return value  # the operands before it have no side effects: they are conditions
        if not left:
            return node.values[-1]
        if isinstance(left[0], ast.Constant) or len(left) == 1:
            return left[0]
        node.values = left
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
            table = self._lookup(node.value.id)
            if isinstance(table, ast.Dict):
                for key, value in zip(table.keys, table.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == node.slice.value:
                        return copy.deepcopy(value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        node.args = _unpacked(node.args)
        return node

    def visit_List(self, node: ast.List) -> ast.expr:
        self.generic_visit(node)
        node.elts = _unpacked(node.elts)
        return node

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt]:
        test: ast.expr = self.visit(node.test)
        if isinstance(test, ast.Constant):
            return self.block(node.body if test.value else node.orelse)
        node.test = test
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        if not node.body and not node.orelse:
            return []
        node.body = node.body or [ast.Pass()]
        return node

    def visit_Assert(self, node: ast.Assert) -> None:  # noqa: ARG002
        return None


def _computed(node: ast.expr, kind: type[ast.AST], left: ast.expr, right: ast.expr) -> ast.expr:
    if kind in _BINARY and isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
        try:
            return ast.Constant(_BINARY[kind](left.value, right.value))
        except (TypeError, ZeroDivisionError):
            return node
    return node


def _unpacked(items: list[ast.expr]) -> list[ast.expr]:
    """Replace `*[a, b]` by a, b."""
    out: list[ast.expr] = []
    for item in items:
        if isinstance(item, ast.Starred) and isinstance(item.value, ast.List | ast.Tuple):
            out += item.value.elts
        else:
            out.append(item)
    return out


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


def _is_own(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"


def _constants(node: ast.FunctionDef) -> dict[str, ast.expr]:
    """The variables that are assigned once, at the top level, and a constant, with that constant."""
    stores = Counter(
        child.id
        for child in ast.walk(node)
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)
    )
    return {
        target.id: statement.value
        for statement in node.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        and isinstance(statement.value, ast.Constant)
        for target in _targets(statement)
        if isinstance(target, ast.Name) and stores[target.id] == 1
    }


def _assigns(node: ast.stmt, names: Mapping[str, ast.expr]) -> bool:
    targets = _targets(node)
    return len(targets) == 1 and isinstance(targets[0], ast.Name) and targets[0].id in names
