"""References to the objects of a user's own: an evaluator, a space, a loss, data.

A reference is a text, which the settings of a run hold, and a SHA-256, which its header holds:

    path/to/file.py:NAME     an object of a file; the digest is that of the file
    package.module:NAME      an object of a module in a package; likewise
    object:NAME              an object that a program passed and no file defines; `digests`

    reference = named("my_file.py:train", "evaluator")             # as a user typed it
    reference = describe(train, "evaluator")                       # as a program passed it
    require_same(recorded, reference, "evaluator", run.path)       # before a run is resumed
    train = load_file_object(reference.text, "evaluator", reference.sha256)

Naming and describing run nothing of a file; loading does, once in a process.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType

from nas.core.schema import visible
from nas.installed import is_installed
from nas.runs.references.digests import digest_of
from nas.runs.space_files import changed, digest
from search_spaces.user_files import PASSED, PREFIX, loaded_from, split
from search_spaces.user_files import load_file_object as load_file_object

_HERE = "__main__"
_PLAIN = (type(None), str, bytes, int, float, tuple, list, dict, set, frozenset)  # by contents


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to an object.

    Attributes:
        text: Its text, with an absolute path.
        sha256: SHA-256 of its file, or of the object itself if no file defines it; None for a
            module without a file.
        definition: SHA-256 of the object itself, for one of the script that runs: other lines of
            the script may change, such as the number of trials that it asks for.
    """

    text: str
    sha256: str | None
    definition: str | None = None

    @property
    def by_value(self) -> bool:
        """True for an object that only a program can pass again."""
        return self.text.startswith(f"{PASSED}:")

    @property
    def name(self) -> str:
        """The name of the object in its file."""
        return self.text.rpartition(":")[2]

    def is_same(self, other: Reference) -> bool:
        """Tell whether both are one object with the same definition; its file may have moved."""
        if self.by_value or other.by_value:
            return self.by_value == other.by_value and self.sha256 == other.sha256
        if self.sha256 is None or self.name != other.name:
            return self == other
        same_definition = self.definition is not None and self.definition == other.definition
        return self.sha256 == other.sha256 or same_definition


def named(text: str, kind: str) -> Reference:
    """The reference that a user typed. Its file is read, but not run.

    Raises:
        ValueError: it is none, or there is no such file or module; one line.
    """
    place, name = split(text, kind)
    if place.endswith(".py"):
        path = Path(place).absolute()
        return Reference(f"{path}:{name}", digest(path, kind))
    try:
        spec = importlib.util.find_spec(place)
    except (ImportError, ValueError) as error:
        raise ValueError(f"{kind} {text}: {error}") from None
    if spec is None:
        raise ValueError(f"{kind} {text}: no module is called {place}")
    has_file = spec.has_location and spec.origin is not None
    return Reference(text, digest(Path(str(spec.origin)), kind) if has_file else None)


def describe(value: object, kind: str) -> Reference:
    """The reference to an object that a program passed.

    It is that of a file if the file, loaded anew, has the object at its top level: a function, a
    class, or a variable. Of several modules with the variable, the last imported counts, which is
    where the others have it from.

    Args:
        value: The object.
        kind: The word for it in errors, such as "evaluator".

    Raises:
        ValueError: its file cannot be read any more.
    """
    for module in _modules_of(value):
        name = _name_in(module, value)
        if name:
            reference = _reference(module, name, kind)
            if module.__name__ == _HERE:
                return replace(reference, definition=digest_of(value))
            return reference
    own = getattr(value, "__name__", type(value).__name__)
    return Reference(f"{PASSED}:{own.strip('<>')}", digest_of(value))


def require_same(recorded: Reference, given: Reference | None, kind: str, where: Path) -> None:
    """Refuse to resume a run without the object that it began with.

    Args:
        recorded: The reference that the run recorded.
        given: The reference to the object that is there now; None if none was given.
        kind: The word for it, such as "evaluator".
        where: The folder of the run.

    Raises:
        ValueError: none or another is given, or its file has changed; one line with what to do.
    """
    if given is not None and recorded.is_same(given):
        return
    began = visible(recorded.text)
    if recorded.by_value:
        got = "none" if given is None else given.text
        if given is not None and given.by_value:
            got += ", which is another or has other values"
        raise ValueError(
            f"{where}: its {kind} {began} was passed by a program and no file holds it: want a "
            f"program that passes it again (in Python: {kind}=...), got {got}"
        )
    if given is None:
        raise ValueError(f"{where}: want its {kind}, {began}, got none: add --{kind} {began}")
    if not given.by_value and given.name == recorded.name:
        raise ValueError(changed(given.text, where, kind))
    raise ValueError(f"{where}: want its {kind}, {began}, got {given.text}")


def _modules_of(value: object) -> list[ModuleType]:
    """The modules that may define an object, the likeliest first."""
    loaded = [m for m in list(sys.modules.values()) if isinstance(m, ModuleType)]
    if isinstance(value, _PLAIN):
        return []
    if isinstance(value, FunctionType | BuiltinFunctionType | type):
        module = sys.modules.get(value.__module__ or "")
        return [module] if isinstance(module, ModuleType) else []
    projects = [m for m in reversed(loaded) if m.__name__ != _HERE and not is_installed(m)]
    first = sys.modules.get(type(value).__module__)
    return [*projects, *(m for m in loaded if m.__name__ == _HERE), *([first] if first else [])]


def _name_in(module: ModuleType, value: object) -> str:
    """The name of an object at the top level of a module that can be loaded anew; empty if none."""
    own = getattr(value, "__name__", "")
    names = [name for name, held in list(vars(module).items()) if held is value]
    name = own if own in names else next(iter(names), "")
    if not name or module.__name__ != _HERE:
        return name
    file = getattr(module, "__file__", None)
    if file is None or not str(file).endswith(".py"):
        return ""  # a notebook, or Python's prompt
    typed = isinstance(value, FunctionType) and Path(value.__code__.co_filename).name
    if typed and typed != Path(file).name:  # at the prompt of `python -i`
        return ""
    return name if name in _top_level(Path(file)) else ""


def _top_level(file: Path) -> set[str]:
    """The names that a file binds when it is loaded, rather than run as a script."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return set()
    bound: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test):
            continue
        for node in _in_same_scope(statement):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.add(node.id)
            elif isinstance(node, ast.alias):
                bound.add(node.asname or node.name.partition(".")[0])
    return bound


def _in_same_scope(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return [node]
    return [node, *(n for child in ast.iter_child_nodes(node) for n in _in_same_scope(child))]


def _reference(module: ModuleType, name: str, kind: str) -> Reference:
    file = getattr(module, "__file__", None)
    ran = loaded_from(module)
    sha256 = ran.sha256 if ran else None if file is None else digest(Path(file), kind)
    spec = module.__spec__
    in_package = spec is not None and bool(spec.parent) and not spec.name.startswith(PREFIX)
    if spec is not None and (in_package or is_installed(module)):
        return Reference(f"{spec.name}:{name}", sha256)
    return Reference(f"{Path(str(file)).absolute()}:{name}", sha256)
