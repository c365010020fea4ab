"""Check that Python finds the packages that were installed with this one; tell installed code apart.

Their names are common: a folder `trainers` or `search_spaces` beside a script is found before them.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).parent.parent  # the folder that the three packages were installed into
PACKAGES = ("search_spaces", "trainers")


def check() -> None:
    """Refuse packages of the same names from elsewhere. Nothing is imported.

    Raises:
        ImportError: a package from elsewhere is found first; one line that says where it is, and
            what to do.
        SystemExit: likewise, in the `nas` command, with status 2 after that line.
    """
    for name in PACKAGES:
        other = _other(name)
        if other is None:
            continue
        kind = "file" if other.suffix else "folder"
        line = (
            f"{other} hides the package {name} that was installed with nas: rename that {kind}, "
            f"or run from elsewhere"
        )
        if _is_command():
            print(f"nas: {line}", file=sys.stderr)  # noqa: T201 - no other module can be imported
            raise SystemExit(2)
        raise ImportError(line)


def _other(name: str) -> Path | None:
    """The folder or file that Python finds as `name`; None if it is ours."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module without a spec, such as a stub in `sys.modules`
        return None
    if spec is None or spec.origin is None or not (HOME / name).is_dir():
        return None
    found = Path(spec.origin)
    if found.name == "__init__.py":
        found = found.parent
    return None if found.resolve() == (HOME / name).resolve() else found.absolute()


def _is_command() -> bool:
    """True in `nas` and `python -m nas`, also while Python still looks for the latter."""
    program = sys.argv[0] if sys.argv else ""
    return Path(program).name == "nas" or (program == "-m" and "nas" in sys.orig_argv)


def is_installed(module: ModuleType) -> bool:
    """True for a module of Python, of an installed package or of the toolkit."""
    file = getattr(module, "__file__", None)
    if file is None:
        return module.__name__ != "__main__"
    if module.__name__.partition(".")[0] in ("nas", *PACKAGES):
        return str(file).startswith(str(HOME))
    parts = str(file).replace("\\", "/").split("/")
    return "site-packages" in parts or "dist-packages" in parts or file.startswith(_libraries())


@cache
def _libraries() -> tuple[str, ...]:
    """The folders of the standard library and of installed packages."""
    import sysconfig

    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(sysconfig.get_path(kind) for kind in kinds)
