"""Objects of the user's program, sent by value to the processes that evaluate.

A lambda, a closure, a function of a script or of a notebook's cell, a data set in memory: the search
pickles them (cloudpickle), its own workers unpickle them. The bytes travel from the search to a
process that the search started, in memory: no file holds them, and the search unpickles nothing.
"""

from __future__ import annotations

import inspect
import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from types import ModuleType
from typing import Any

from nas.installed import is_installed
from search_spaces import user_files

_REGISTERING = Lock()  # cloudpickle's list of modules is one for the process


def pack_objects(objects: Mapping[str, Any], *, whole_project: bool = False) -> bytes:
    """Pickle objects by value as far as another process cannot import them.

    What is in `__main__`, in files that were loaded by path, or has no name goes by value; the
    rest goes by the names of its modules.

    Args:
        objects: Objects by the words for them, such as `{"evaluator": train}`.
        whole_project: Send all modules by value that no package has installed: for processes that
            may not find the modules of the user's project.

    Raises:
        ValueError: one cannot be pickled; one line that says which, why and what to do.
    """
    with _by_value(whole_project):
        try:
            return _dump(dict(objects))
        except Exception as error:
            kind, culprit = next(
                ((kind, why) for kind, it in objects.items() if (why := _obstacle(it))),
                (" and ".join(objects), _reason(error)),
            )
    raise ValueError(
        f"{kind}: it cannot be sent to other processes: {culprit}; define it in a file and name it "
        f"(path/to/file.py:NAME), or evaluate in this process (executor in-process, workers=1)"
    )


def unpack_objects(data: bytes) -> dict[str, Any]:
    """Unpickle what the search of this process has sent. Never call it on other bytes.

    Raises:
        ValueError: they cannot be unpickled here; one line.
    """
    try:
        objects: dict[str, Any] = pickle.loads(data)  # noqa: S301 - of the search that began us
    except Exception as error:
        raise ValueError(f"an object of the search cannot be read: {_reason(error)}") from error
    return objects


def _dump(value: Any) -> bytes:
    import cloudpickle

    data: bytes = cloudpickle.dumps(value)
    return data


def _obstacle(value: Any) -> str:
    """The reason why a value cannot be pickled, with the variable at fault; empty if it can."""
    try:
        _dump(value)
    except Exception as error:
        reason = _reason(error)
    else:
        return ""
    if inspect.isfunction(value):
        used = inspect.getclosurevars(value)
        for name, held in {**used.globals, **used.nonlocals}.items():
            try:
                _dump(held)
            except Exception as error:
                return f"its variable {name}: {_reason(error)}"
    return reason


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@contextmanager
def _by_value(whole_project: bool) -> Iterator[None]:
    """Have cloudpickle send by value the modules that another process cannot import."""
    import cloudpickle

    with _REGISTERING:
        before = cloudpickle.list_registry_pickle_by_value()
        chosen = [
            module
            for name, module in list(sys.modules.items())
            if name not in before
            and (name.startswith(user_files.PREFIX) or (whole_project and _is_project(module)))
        ]
        for module in chosen:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in chosen:
                with suppress(ValueError):
                    cloudpickle.unregister_pickle_by_value(module)


def _is_project(module: ModuleType) -> bool:
    return (
        isinstance(module, ModuleType)
        and module.__name__ != "__main__"
        and sys.modules.get(module.__name__) is module
        and not is_installed(module)
    )
