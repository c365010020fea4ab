"""The imports, functions and constants that the source of a network's classes needs."""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
import sys
import textwrap
from dataclasses import dataclass, field
from functools import cache

from nas.source.expressions import SourceError
from nas.source.printing import statement

_BUILTIN = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Defined:
    """A definition at the top level of a module."""

    module: str
    node: ast.stmt
    text: tuple[str, ...]


@cache
def _source(module: str) -> tuple[ast.Module, tuple[str, ...]]:
    try:
        text = inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        raise SourceError(f"the source of {module} is not available") from None
    return ast.parse(text), tuple(text.splitlines())


def find(module: str, name: str) -> Defined | ast.stmt | None:
    """The statement that binds `name` in a module: a definition or an import; None if there is none."""
    tree, lines = _source(module)
    for node in _top(tree.body):
        match node:
            case ast.FunctionDef() | ast.ClassDef() if node.name == name:
                return Defined(module, node, _text(node, lines))
            case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
                return Defined(module, node, _text(node, lines))
            case ast.AnnAssign(target=ast.Name(id=target)) if target == name:
                return Defined(module, node, _text(node, lines))
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    if (alias.asname or alias.name.split(".")[0]) == name:
                        return _import_of(node, alias)
    return None


def constant(module: str, name: str) -> ast.expr | None:
    """The value of a constant of a module, or of one that it imports."""
    found = find(module, name)
    if isinstance(found, ast.ImportFrom) and found.module and not _is_allowed(found.module):
        return constant(found.module, found.names[0].name)
    if isinstance(found, Defined) and isinstance(found.node, ast.Assign | ast.AnnAssign):
        return found.node.value
    return None


@dataclass
class Needed:
    """Collects the definitions that pieces of source need, each once, in the order of their use."""

    reserved: frozenset[str] = frozenset()  # names that are defined elsewhere
    words: frozenset[str] = frozenset()  # the keys that tables by name are looked up with
    imports: dict[str, ast.stmt] = field(default_factory=dict)
    parts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, node: ast.AST, module: str) -> None:
        """Collect the definitions that `node`, a part of `module`, needs.

        Raises:
            SourceError: it needs a module that is neither torch nor of the standard library.
        """
        for name in names_read(node):
            if name not in self.reserved and name not in self.parts and name not in _BUILTIN:
                self._add_name(name, module)

    def _add_name(self, name: str, module: str) -> None:
        found = find(module, name)
        if isinstance(found, Defined):
            node, text = self._shortened(found)
            self.parts[name] = []  # ends the recursion of a definition that needs itself
            self.add(node, found.module)
            del self.parts[name]
            self.parts[name] = text
        elif isinstance(found, ast.ImportFrom) and found.module and not _is_allowed(found.module):
            if found.module not in sys.modules:
                return  # imported for type checkers only
            if find(found.module, found.names[0].name) is None or found.names[0].asname:
                raise SourceError(f"it uses {name} of {found.module}")
            self._add_name(name, found.module)
        elif isinstance(found, ast.Import) and not _is_allowed(found.names[0].name):
            raise SourceError(f"it uses {found.names[0].name}, and model.py may use torch only")
        elif found is None:
            raise SourceError(f"it uses {name}, which is not at the top level of {module}")
        else:
            self.imports[ast.unparse(found)] = found

    def _shortened(self, found: Defined) -> tuple[ast.stmt, list[str]]:
        """A definition; of a table by name, only the entries that this network can look up."""
        node = found.node
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Dict):
            return node, list(found.text)
        keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
        used = [n for n, key in enumerate(keys) if key in self.words]
        if len(keys) < len(node.value.keys) or not used:
            return node, list(found.text)
        node = copy.deepcopy(node)
        assert isinstance(node.value, ast.Dict)
        node.value.keys = [node.value.keys[n] for n in used]
        node.value.values = [node.value.values[n] for n in used]
        return node, statement(node, 0)


def names_read(node: ast.AST) -> list[str]:
    """The names that a piece of source reads and does not bind itself, in order."""
    own = {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    own |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not _is_load(n)}
    read = (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and _is_load(n))
    return [name for name in dict.fromkeys(read) if name not in own]


def method_text(cls: type, name: str) -> list[str]:
    """The original text of a method."""
    source = textwrap.dedent(inspect.getsource(getattr(cls, name)))
    return textwrap.indent(source, " " * 4).rstrip().splitlines()


def class_node(cls: type) -> ast.ClassDef:
    """The syntax tree of a class.

    Raises:
        SourceError: it is not at the top level of its module.
    """
    found = find(cls.__module__, cls.__name__)
    if isinstance(found, Defined) and isinstance(found.node, ast.ClassDef):
        return found.node
    raise SourceError(f"{cls.__name__} is not at the top level of {cls.__module__}")


def helpers(cls: type) -> list[ast.FunctionDef]:
    """The functions outside the class that its source calls, directly or indirectly."""
    found: dict[str, ast.FunctionDef] = {}

    def visit(node: ast.AST, module: str) -> None:
        for name in names_read(node):
            binding = None if name in _BUILTIN else find(module, name)
            if isinstance(binding, ast.ImportFrom) and binding.module in sys.modules:
                outside = _is_allowed(str(binding.module))
                binding = None if outside else find(str(binding.module), name)
            defined = binding.node if isinstance(binding, Defined) else None
            if isinstance(defined, ast.FunctionDef) and name not in found:
                found[name] = defined
                visit(defined, binding.module)  # type: ignore[union-attr]

    visit(class_node(cls), cls.__module__)
    return list(found.values())


def import_lines(imports: list[ast.stmt]) -> list[str]:
    """Import statements, sorted as ruff sorts them: those of the standard library first."""
    modules = sorted(
        {
            a.name if a.asname is None else f"{a.name} as {a.asname}"
            for i in imports
            if isinstance(i, ast.Import)
            for a in i.names
        }
    )
    members: dict[str, set[str]] = {}
    for node in imports:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for alias in node.names:
                text = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
                members.setdefault(str(node.module), set()).add(text)
    lines = [f"import {module}" for module in modules]
    lines += [
        f"from {module} import {', '.join(sorted(names))}"
        for module, names in sorted(members.items())
    ]
    of_torch = [line for line in lines if line.split()[1].split(".")[0] == "torch"]
    others = [line for line in lines if line not in of_torch]
    return [*others, *([""] if others and of_torch else []), *of_torch]


def _text(node: ast.stmt, lines: tuple[str, ...]) -> tuple[str, ...]:
    return lines[node.lineno - 1 : node.end_lineno]


def short_docstring(text: str) -> str:
    """A docstring up to its list of arguments."""
    return inspect.cleandoc(text).split("\n\nArgs:")[0]


def _top(body: list[ast.stmt]) -> list[ast.stmt]:
    out = []
    for node in body:
        out += _top(node.body) if isinstance(node, ast.If) else [node]
    return out


def _import_of(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(node.module, [alias], node.level)


def _is_allowed(module: str) -> bool:
    package = module.split(".")[0]
    return package == "torch" or package in sys.stdlib_module_names


def _is_load(node: ast.Name) -> bool:
    return not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
