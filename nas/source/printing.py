"""Syntax trees as text, laid out as by `ruff format`, at 100 columns.

A line that is too long is broken inside its brackets: first with all items on one line of their
own, then with one item on each line. Statements that do not occur in generated code are left to
`ast.unparse`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import TypeVar

WIDTH = 100
STEP = 4

N = TypeVar("N", ast.expr, ast.stmt)

_BRACKETED = (ast.GeneratorExp, ast.ListComp, ast.List, ast.Dict)
_UNBROKEN = (ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.JoinedStr)


def comment(node: N, text: str) -> N:
    """Put a comment on the line before `node`, which then has lines of its own too."""
    node.comment = text  # type: ignore[attr-defined]
    return node


def flat(node: ast.AST) -> str:
    """The text of an expression on one line."""
    match node:
        case ast.Constant(value=str(word)) if "\\" not in repr(word) and '"' not in word:
            return f'"{word}"'
        case ast.Constant(value=float(number)):
            return repr(number).replace("e-0", "e-")
        case ast.Call():
            return f"{flat(node.func)}({', '.join(map(flat, _arguments(node)))})"
        case _Pair():
            return f"{flat(node.key)}: {flat(node.value)}"
        case ast.keyword():
            return f"{node.arg}={flat(node.value)}" if node.arg else f"**{flat(node.value)}"
        case ast.Starred():
            return f"*{flat(node.value)}"
        case ast.List():
            return f"[{', '.join(map(flat, node.elts))}]"
        case ast.Tuple(elts=[one]):
            return f"({flat(one)},)"
        case ast.Tuple():
            return f"({', '.join(map(flat, node.elts))})"
        case ast.Dict():
            return f"{{{', '.join(map(flat, _items(node)))}}}"
        case ast.GeneratorExp():
            return f"({_comprehension(node)})"
        case ast.ListComp():
            return f"[{_comprehension(node)}]"
        case ast.Attribute() if isinstance(node.value, ast.Constant | ast.BinOp | ast.IfExp):
            return f"({flat(node.value)}).{node.attr}"
        case ast.Attribute():
            return f"{flat(node.value)}.{node.attr}"
        case ast.Subscript(slice=ast.Tuple(elts=[_, *_] as items)):
            return f"{flat(node.value)}[{', '.join(map(flat, items))}]"
        case ast.Subscript(slice=ast.Slice()):
            return ast.unparse(node)
        case ast.Subscript():
            return f"{flat(node.value)}[{flat(node.slice)}]"
    return _double_quoted(ast.unparse(node))


def statement(node: ast.stmt, indent: int) -> list[str]:
    """The lines of a statement."""
    match node:
        case ast.Assign(targets=[target]):
            return _layout(node.value, indent, f"{_target(target)} = ", "")
        case ast.AnnAssign(value=ast.expr() as value):
            before = f"{flat(node.target)}: {flat(node.annotation)} = "
            return _layout(value, indent, before, "")
        case ast.AugAssign():
            operator = _operator(node.op)
            return _layout(node.value, indent, f"{flat(node.target)} {operator}= ", "")
        case ast.Return(value=ast.expr() as value):
            return _layout(value, indent, "return ", "")
        case ast.Expr(value=ast.Constant(value=str(text))):
            return docstring(text, indent)
        case ast.Expr():
            return _layout(node.value, indent, "", "")
        case ast.For():
            head = f"for {_target(node.target)} in "
            return [*_layout(node.iter, indent, head, ":"), *block(node.body, indent + STEP)]
        case ast.If():
            return _if(node, indent, "if")
        case ast.FunctionDef():
            return function(node, indent)
    text = _double_quoted(ast.unparse(node))
    return [" " * indent + line for line in text.splitlines()]


def block(body: Iterable[ast.stmt], indent: int) -> list[str]:
    """The lines of several statements."""
    lines = []
    for node in body:
        if text := getattr(node, "comment", None):
            lines.append(f"{' ' * indent}# {text}")
        lines += statement(node, indent)
    return lines


def function(node: ast.FunctionDef, indent: int) -> list[str]:
    """The lines of a function."""
    lines = [f"{' ' * indent}@{flat(decorator)}" for decorator in node.decorator_list]
    parameters = _parameters(node.args)
    after = f") -> {flat(node.returns)}:" if node.returns else "):"
    head = f"{' ' * indent}def {node.name}("
    line = head + ", ".join(parameters) + after
    if len(line) <= WIDTH:
        lines.append(line)
    else:
        inner = " " * (indent + STEP) + ", ".join(parameters)
        each = [f"{' ' * (indent + STEP)}{parameter}," for parameter in parameters]
        lines += [head, *([inner] if len(inner) <= WIDTH else each), " " * indent + after]
    return lines + block(node.body, indent + STEP)


def docstring(text: str, indent: int) -> list[str]:
    """The lines of a docstring; the lines of `text` are not indented yet."""
    first, *rest = text.strip().splitlines()
    if not rest:
        return [f'{" " * indent}"""{first}"""']
    body = [" " * indent + line if line.strip() else "" for line in rest]
    return [f'{" " * indent}"""{first}', *body, f'{" " * indent}"""']


def _layout(node: ast.expr, indent: int, before: str, after: str) -> list[str]:
    """The lines of `before`, an expression and `after`."""
    one = f"{' ' * indent}{before}{flat(node)}{after}"
    if len(one) <= WIDTH and not _is_forced(node):
        return [one]
    opened = _brackets(node)
    if opened is None:
        if isinstance(node, _UNBROKEN) or not before:
            return [one]
        inner = _broken(node, indent + STEP)
        return [f"{' ' * indent}{before}(", *inner, f"{' ' * indent}){after}"]
    head, items, tail, is_call = opened
    start, end = f"{' ' * indent}{before}{head}", f"{' ' * indent}{tail}{after}"
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        return [start, *_broken(node, indent + STEP), end]
    inside = " " * (indent + STEP) + ", ".join(map(flat, items))
    fits = len(inside) <= WIDTH and not _is_forced(node)
    if fits and is_call:
        return [start, inside, end]
    lone = len(items) == 1 and is_call and isinstance(items[0], _BRACKETED)
    lines = [start]
    for item in items:
        if text := getattr(item, "comment", None):
            lines.append(f"{' ' * (indent + STEP)}# {text}")
        lines += _item(item, indent + STEP, "" if lone else ",")
    return [*lines, end]


def _item(node: ast.AST, indent: int, after: str) -> list[str]:
    match node:
        case ast.keyword(arg=str(key)):
            return _layout(node.value, indent, f"{key}=", after)
        case ast.Starred():
            return _layout(node.value, indent, "*", after)
        case _Pair():
            return _layout(node.value, indent, f"{flat(node.key)}: ", after)
        case ast.IfExp() | ast.BinOp() | ast.BoolOp() | ast.Compare():
            assert isinstance(node, ast.expr)
            one = f"{' ' * indent}{flat(node)}{after}"
            lines = [one] if len(one) <= WIDTH else _broken(node, indent)
            return lines if len(lines) == 1 else [*lines[:-1], lines[-1] + after]
    assert isinstance(node, ast.expr)
    return _layout(node, indent, "", after)


def _broken(node: ast.expr, indent: int) -> list[str]:
    """An expression inside brackets, broken at its own operators or clauses if it is too long."""
    text = _comprehension(node) if isinstance(node, ast.GeneratorExp | ast.ListComp) else flat(node)
    if indent + len(text) <= WIDTH and not _is_forced(node):
        return [" " * indent + text]
    match node:
        case (
            ast.GeneratorExp(elt=elt, generators=[clause])
            | ast.ListComp(elt=elt, generators=[clause])
        ):
            conditions = [f"{' ' * indent}if {flat(test)}" for test in clause.ifs]
            loop = f"{' ' * indent}for {_target(clause.target)} in {flat(clause.iter)}"
            return [*_layout(elt, indent, "", ""), loop, *conditions]
        case ast.IfExp():
            return [
                *_layout(node.body, indent, "", ""),
                *_layout(node.test, indent, "if ", ""),
                *_layout(node.orelse, indent, "else ", ""),
            ]
        case ast.BinOp():
            terms = _terms(node, type(node.op))
            sign = _operator(node.op)
            rest = [line for t in terms[1:] for line in _layout(t, indent, f"{sign} ", "")]
            return [*_layout(terms[0], indent, "", ""), *rest]
        case ast.BoolOp():
            word = "and" if isinstance(node.op, ast.And) else "or"
            rest = [line for v in node.values[1:] for line in _layout(v, indent, f"{word} ", "")]
            return [*_layout(node.values[0], indent, "", ""), *rest]
    return _layout(node, indent, "", "")


class _Pair(ast.AST):
    """A key and its value in a dict."""

    def __init__(self, key: ast.expr, value: ast.expr) -> None:
        super().__init__()
        self.key, self.value = key, value


def _brackets(node: ast.expr) -> tuple[str, Sequence[ast.AST], str, bool] | None:
    """The last brackets of an expression: opening text, items, closing text, and True for a call."""
    match node:
        case ast.Call():
            if not _arguments(node):
                return None
            return f"{flat(node.func)}(", _arguments(node), ")", True
        case ast.List(elts=[_, *_]):
            return "[", node.elts, "]", False
        case ast.Tuple(elts=[_, *_]):
            return "(", node.elts, ")", False
        case ast.Dict(keys=[_, *_]):
            return "{", _items(node), "}", False
        case ast.GeneratorExp():
            return "(", [node], ")", False
        case ast.ListComp():
            return "[", [node], "]", False
        case ast.Subscript(slice=ast.expr() as index) if not isinstance(index, ast.Slice):
            return f"{flat(node.value)}[", [index], "]", True
    return None


def _is_forced(node: ast.AST) -> bool:
    """True if a node inside has a comment, which needs a line of its own."""
    return any(hasattr(child, "comment") for child in ast.walk(node) if child is not node) or any(
        _is_forced(pair) for pair in ([node.key, node.value] if isinstance(node, _Pair) else [])
    )


def _if(node: ast.If, indent: int, word: str) -> list[str]:
    lines = [*_layout(node.test, indent, f"{word} ", ":"), *block(node.body, indent + STEP)]
    match node.orelse:
        case []:
            return lines
        case [ast.If() as other]:
            return lines + _if(other, indent, "elif")
    return [*lines, f"{' ' * indent}else:", *block(node.orelse, indent + STEP)]


def _parameters(args: ast.arguments) -> list[str]:
    def one(arg: ast.arg, default: ast.expr | None) -> str:
        kind = f": {flat(arg.annotation)}" if arg.annotation else ""
        if default is None:
            return arg.arg + kind
        return f"{arg.arg}{kind} = {flat(default)}" if kind else f"{arg.arg}={flat(default)}"

    assert not args.posonlyargs
    missing: list[ast.expr | None] = [None] * (len(args.args) - len(args.defaults))
    parts = [one(a, d) for a, d in zip(args.args, [*missing, *args.defaults], strict=True)]
    if args.vararg:
        parts.append("*" + one(args.vararg, None))
    elif args.kwonlyargs:
        parts.append("*")
    parts += [one(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return parts + (["**" + one(args.kwarg, None)] if args.kwarg else [])


def _arguments(node: ast.Call) -> list[ast.AST]:
    return [*node.args, *node.keywords]


def _items(node: ast.Dict) -> list[_Pair]:
    return [_Pair(key, value) for key, value in zip(node.keys, node.values, strict=True) if key]


def _comprehension(node: ast.GeneratorExp | ast.ListComp) -> str:
    parts = [flat(node.elt)]
    for clause in node.generators:
        parts.append(f"for {_target(clause.target)} in {flat(clause.iter)}")
        parts += [f"if {flat(test)}" for test in clause.ifs]
    return " ".join(parts)


def _target(node: ast.expr) -> str:
    return flat(node)[1:-1] if isinstance(node, ast.Tuple) else flat(node)


def _terms(node: ast.expr, operator: type[ast.operator]) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, operator):
        return [*_terms(node.left, operator), node.right]
    return [node]


def _operator(op: ast.operator) -> str:
    return ast.unparse(ast.BinOp(ast.Name("a"), op, ast.Name("b")))[2:-2]


def _double_quoted(text: str) -> str:
    """Replace the single quotes that `ast.unparse` writes."""
    return text.replace("'", '"') if '"' not in text else text
