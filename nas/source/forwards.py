"""The computation of a module as statements: the source of its `forward`, or a trace of it.

A `forward` whose control flow depends on the state of its object (it loops over numbers, or tests
which children exist) is an interpreter. It is traced with `torch.fx` instead, and the operations
of that object are written line by line.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx, nn

from nas.source.expressions import SourceError, call, literal, name

_LOOPS = (
    *(ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp),
    *(ast.If, ast.IfExp, ast.Match),
)


def method(cls: type, attribute: str) -> ast.FunctionDef:
    """The syntax tree of a method.

    Raises:
        SourceError: its source is not available.
    """
    function: Any = getattr(cls, attribute)
    function = function.fget if isinstance(function, property) else function
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise SourceError(f"the source of {cls.__name__}.{attribute} is not available") from None
    tree = ast.parse(source).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise SourceError(f"{cls.__name__}.{attribute} is not a plain method")
    if function.__code__.co_freevars not in ((), ("__class__",)):
        free = ", ".join(function.__code__.co_freevars)
        raise SourceError(f"{cls.__name__}.{attribute} uses {free} from the function around it")
    return tree


def reached(cls: type[nn.Module], *starts: str) -> list[str]:
    """The methods that `starts` call on `self`, themselves included, in the order of the class."""
    found: list[str] = []
    waiting = list(starts)
    while waiting:
        attribute = waiting.pop()
        if attribute in found or not _is_own_method(cls, attribute):
            continue
        found.append(attribute)
        waiting += [
            child.attr
            for child in ast.walk(method(cls, attribute))
            if isinstance(child, ast.Attribute) and ast.unparse(child.value) == "self"
        ]
    order = list(vars(cls))
    return sorted(found, key=lambda n: order.index(n) if n in order else -1)


def _is_own_method(cls: type, attribute: str) -> bool:
    found = getattr(cls, attribute, None)
    found = found.fget if isinstance(found, property) else found
    return inspect.isfunction(found) and found.__module__.split(".")[0] != "torch"


def is_interpreter(node: ast.FunctionDef, module: nn.Module) -> bool:
    """True if the control flow of a method depends on `self`, beyond a loop over child modules."""
    return any(
        isinstance(child, _LOOPS) and not _is_plain_loop(child, module)
        for child in ast.walk(node)
        if _reads_self(child)
    )


def _is_plain_loop(node: ast.AST, module: nn.Module) -> bool:
    """True for `for cell in self.cells`, for `self.training`, and for conditions without `self`."""
    if isinstance(node, ast.If | ast.IfExp):
        return ast.unparse(node.test) == "self.training" or not _reads_self(node.test)
    if not isinstance(node, ast.For):
        return False
    looped = node.iter
    if isinstance(looped, ast.Call) and ast.unparse(looped.func) == "enumerate":
        looped = looped.args[0]
    if isinstance(looped, ast.Subscript):
        looped = looped.value
    children = module._modules
    return (
        isinstance(looped, ast.Attribute)
        and ast.unparse(looped.value) == "self"
        and isinstance(children.get(looped.attr), nn.ModuleList | nn.Sequential)
    )


def _reads_self(node: ast.AST) -> bool:
    return any(isinstance(child, ast.Name) and child.id == "self" for child in ast.walk(node))


class _Outside(fx.Tracer):
    """A tracer that does not enter the children of a module."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        return True


def traced(module: nn.Module) -> ast.FunctionDef:
    """Trace the `forward` of one object, in evaluation mode, as straight-line code.

    Raises:
        SourceError: it cannot be traced.
    """
    module.eval()
    try:
        graph = _Outside().trace(module)
    except Exception as error:  # code of the user may raise anything when given a proxy
        reason = " ".join(str(error).split())[:120]
        raise SourceError(f"{type(module).__name__}.forward cannot be traced: {reason}") from error
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op not in ("output", "placeholder"):
            graph.erase_node(node)
    return _Writer(graph, module).function()


class _Writer:
    """Writes a graph: values used once, by a sum or the return, stay inline; the others get names."""

    def __init__(self, graph: fx.Graph, module: nn.Module) -> None:
        self._graph = graph
        self._module = module
        self._written: dict[fx.Node, ast.expr] = {}
        self._body: list[ast.stmt] = []
        self._inputs: list[ast.arg] = []
        self._names = 0

    def function(self) -> ast.FunctionDef:
        for node in self._graph.nodes:
            if node.op == "placeholder":
                self._add_input(node)
            elif node.op == "output":
                self._body.append(ast.Return(self._value(node.args[0])))
            else:
                self._add(node)
        arguments = ast.arguments([], [ast.arg("self"), *self._inputs], None, [], [], None, [])
        return ast.FunctionDef("forward", arguments, self._body, [], name("Tensor"))

    def _add_input(self, node: fx.Node) -> None:
        number = len(self._inputs)
        text = f"x{number}"
        self._names = number
        self._inputs.append(ast.arg(text, name("Tensor")))
        self._written[node] = ast.Name(text)

    def _add(self, node: fx.Node) -> None:
        value = self._expression(node)
        users = list(node.users)
        if len(users) == 1 and (users[0].op == "output" or _joins(users[0])):
            self._written[node] = value
            return
        self._names += 1
        target = ast.Name(f"x{self._names}")
        self._body.append(ast.Assign([target], value))
        self._written[node] = target

    def _expression(self, node: fx.Node) -> ast.expr:
        args = [self._value(arg) for arg in node.args]
        keywords = {key: self._value(value) for key, value in node.kwargs.items()}
        target = node.target
        if node.op == "call_module":
            return call(self._child(str(target)), args, keywords)
        if node.op == "get_attr":
            return name(f"self.{target}")
        if node.op == "call_method":
            return call(ast.Attribute(args[0], str(target), ast.Load()), args[1:], keywords)
        assert callable(target)
        return _function(target, args, keywords)

    def _child(self, path: str) -> ast.expr:
        expression: ast.expr = ast.Name("self")
        module: Any = self._module
        for part in path.split("."):
            if isinstance(module, nn.ModuleDict):
                expression = ast.Subscript(expression, literal(part), ast.Load())
            elif part.isdigit():
                expression = ast.Subscript(expression, literal(int(part)), ast.Load())
            else:
                expression = ast.Attribute(expression, part, ast.Load())
            module = module._modules[part]
        return expression

    def _value(self, value: Any) -> ast.expr:
        match value:
            case fx.Node():
                return self._written[value]
            case slice():
                ends = (value.start, value.stop, value.step)
                return ast.Slice(*(None if end is None else self._value(end) for end in ends))
            case tuple():
                return ast.Tuple([self._value(item) for item in value], ast.Load())
            case list():
                return ast.List([self._value(item) for item in value], ast.Load())
            case torch.dtype() | torch.device():
                return name(str(value))
        return literal(value)


def _joins(node: fx.Node) -> bool:
    return getattr(node.target, "__name__", "") in ("add", "iadd")


_OPERATORS: dict[str, type[ast.operator]] = {
    "add": ast.Add,
    "iadd": ast.Add,
    "sub": ast.Sub,
    "mul": ast.Mult,
    "imul": ast.Mult,
    "truediv": ast.Div,
    "matmul": ast.MatMult,
    "floordiv": ast.FloorDiv,
}


def _function(
    function: Callable[..., Any], args: Sequence[ast.expr], keywords: dict[str, ast.expr]
) -> ast.expr:
    title, module = function.__name__, getattr(function, "__module__", "") or ""
    if title == "getitem":
        return ast.Subscript(args[0], args[1], ast.Load())
    if module in ("_operator", "operator") and title in _OPERATORS:
        return ast.BinOp(args[0], _OPERATORS[title](), args[1])
    if getattr(nn.functional, title, None) is function and not hasattr(torch, title):
        return call(name(f"F.{title}"), list(args), keywords)
    if getattr(torch, title, None) is function:
        return call(name(f"torch.{title}"), list(args), keywords)
    raise SourceError(f"{module}.{title} is not a function of torch")
