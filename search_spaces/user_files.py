"""Python files of a user's own: each is run once in a process, whatever is taken from it.

`load_file_object("my_file.py:train", "evaluator")` gives the object of that name, which may be a
search space, an evaluator, a loss or whatever else a user brings. Files are code: they are run only
where the user has named them.

Modules beside the file are found, after all others: its folder becomes the last of `sys.path`.
"""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import RLock
from types import FunctionType, ModuleType
from typing import Any, NoReturn

from search_spaces import notation

PREFIX = "user_file_"  # start of the names that the modules have in `sys.modules`


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file that was run.

    Attributes:
        path: Its absolute path.
        sha256: SHA-256 of the bytes that were run.
        module: Its module, which is in `sys.modules`.
    """

    path: Path
    sha256: str
    module: ModuleType


PASSED = "object"  # `object:NAME` stands for an object that a program passed

_LOADED: dict[Path, UserFile] = {}
_RUNNING: list[Path] = []
_LOCK = RLock()


def load_file_object(text: str, kind: str, expected_sha256: str | None = None) -> Any:
    """Load the object that `path/to/file.py:name` or `package.module:name` names.

    Args:
        text: The reference.
        kind: The word for the object in errors, such as "evaluator".
        expected_sha256: SHA-256 that the file must have, if it is known.

    Raises:
        ValueError: there is no such file, module or name, the file raises an exception, or it has
            changed; one line.
    """
    place, name = split(text, kind)
    if place == PASSED:
        refuse_passed(text, kind)
    if place.endswith(".py"):
        file = run_file(Path(place), kind)
        if expected_sha256 not in (None, file.sha256):
            raise ValueError(f"{kind} {text}: {file.path} has changed since the search began")
        return attribute(file.module, name, kind, text)
    return attribute(import_module(place, kind), name, kind, text)


def refuse_passed(text: str, kind: str) -> NoReturn:
    """Refuse to load an object that only a program can pass.

    Raises:
        ValueError: always; says what to do.
    """
    raise ValueError(
        f"{kind} {text}: a program passed it as an object, which no file holds: only a program "
        f"that passes it again can go on with it"
    )


def split(text: str, kind: str) -> tuple[str, str]:
    """The file or module of a reference, and the name in it.

    Raises:
        ValueError: it is no such reference.
    """
    if is_code(text):
        place, _, name = text.rpartition(":")
        return place, name
    which = ": which name in it?" if text.endswith(".py") else ""
    raise ValueError(
        f"want {_a(kind)} as path/to/file.py:NAME or package.module:NAME, got {text[:200]!r}{which}"
    )


def is_code(text: str) -> bool:
    """True for `path/to/file.py:name` or `package.module:name`, False for names and settings."""
    place, colon, name = text.rpartition(":")
    is_module = all(part.isidentifier() for part in place.split("."))
    return bool(colon) and name.isidentifier() and (place.endswith(".py") or is_module)


def run_file(path: Path, kind: str) -> UserFile:
    """Run a file, unless this process has run it with the same contents.

    Args:
        path: The file.
        kind: The word for what is wanted from it, in errors.

    Raises:
        ValueError: there is no such file, it raises an exception, or it is being run already.
    """
    path = path.absolute()
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"want a Python file with {_a(kind)}, got {path}: no such file") from None
    except OSError as error:
        raise ValueError(
            f"want a Python file with {_a(kind)}, got {path}: {error.strerror}"
        ) from None
    digest = sha256(source).hexdigest()
    with _LOCK:
        before = _LOADED.get(path)
        if before is not None and before.sha256 == digest:
            return before
        refuse_while_running(path)
        _LOADED[path] = UserFile(path, digest, _run(path, source))
        return _LOADED[path]


def loaded_from(module: ModuleType) -> UserFile | None:
    """The file that a module was made from by `run_file`; None for other modules."""
    return next((file for file in _LOADED.values() if file.module is module), None)


def refuse_while_running(path: Path | None = None) -> None:
    """Refuse what a file that is being run asks for: to be run again, or to begin a search.

    Args:
        path: The file that is to be run; by default any that is being run.

    Raises:
        ValueError: such a file is being run; says what to change in it.
    """
    with _LOCK:
        running = next((r for r in _RUNNING if path in (None, r)), None)
    if running is not None:
        raise ValueError(
            f"{running.name} begins a search when it is loaded: put that under "
            f'`if __name__ == "__main__":`'
        )


def import_module(name: str, kind: str) -> ModuleType:
    """Import a module that a user named.

    Raises:
        ValueError: it cannot be imported; one line.
    """
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"{kind} of the module {name}: it cannot be imported: {reason}") from error


def attribute(module: ModuleType, name: str, kind: str, text: str) -> Any:
    """The object called `name` in a module.

    Raises:
        ValueError: there is none; says which names there are.
    """
    if name in vars(module):
        return vars(module)[name]
    there = names_of(module)
    has = f"; it has {', '.join(there[:20])}" if there else ""
    near = notation.did_you_mean(name, there)
    place = text.rpartition(":")[0]
    raise ValueError(f"want {_a(kind)} called {name!r} in {place}, got none{has}{near}")


def names_of(module: ModuleType) -> list[str]:
    """The public names that a module itself defines, in its order."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not _is_imported(value, module)
    ]


def _is_imported(value: object, module: ModuleType) -> bool:
    if isinstance(value, ModuleType) or type(value).__module__ == "__future__":
        return True
    defined = isinstance(value, type | FunctionType)
    return defined and value.__module__ != module.__name__


def _run(path: Path, source: bytes) -> ModuleType:
    """Run the bytes that were read, so that their digest is that of what ran."""
    name = f"{PREFIX}{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    linecache.checkcache(str(path))
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pickles look there
    _RUNNING.append(path)
    try:
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102 - the user named it
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"{path}{_line(error, path)}: {reason}") from error
    finally:
        _RUNNING.pop()
    return module


def _line(error: BaseException, path: Path) -> str:
    """The last line of `path` in the traceback, such as `:12`; empty if there is none."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f":{error.lineno}"
    line, frame = "", error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == str(path):
            line = f":{frame.tb_lineno}"
        frame = frame.tb_next
    return line


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
