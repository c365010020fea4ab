"""References to search spaces: the texts that name a space on the command line and in `run.json`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from search_spaces import notation
from search_spaces.tree.values import Scalar
from search_spaces.user_files import PASSED, is_code

_ENSEMBLE = "ensemble:"
_FIXED = re.compile(
    r"fixed:(?P<space>\w+(?::\w+=[^:]*)?|.*?\.py:\w+|\w+(?:\.\w+)+:\w+):(?P<architecture>.+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceReference:
    """A parsed reference to a search space; `SpaceReference.parse(str(r)) == r`.

    Args:
        name: Name of a registered space, or `object:NAME`; empty for a space in a file.
        settings: Settings of the registered space, in the order of the text.
        file: Python file that defines the space, if one does.
        module: Module of a package of the user's own that defines the space; empty if none does.
        variable: Name of the space in `file` or `module`; empty for a registered space.
        architecture: Text of the only architecture that is searched (`fixed:`), in any notation
            that the space reads; None for the whole space.
        ensemble: The space of ensembles of networks of that space (`ensemble:`).
    """

    name: str = ""
    settings: tuple[tuple[str, Scalar], ...] = ()
    file: Path | None = None
    module: str = ""
    variable: str = ""
    architecture: str | None = None
    ensemble: bool = False

    @classmethod
    def parse(cls, text: str) -> SpaceReference:
        """Read a reference: no file is opened, and no registry is asked.

        Args:
            text: `name`; `name:setting=value,setting=value`; `path/to/file.py:variable` or
                `package.module:variable`; or `fixed:SPACE:ARCHITECTURE`, where SPACE is one of the
                forms before; or `object:NAME`, a space that a program passed; or
                `ensemble:SPACE`, the ensembles of networks of any of these.

        Raises:
            ValueError: it has none of these forms; says what was wanted and got.
        """
        if text.startswith(_ENSEMBLE):
            member = cls.parse(text.removeprefix(_ENSEMBLE))
            if member.ensemble:
                raise ValueError(f"want ensemble:SPACE of networks, got {text[:80]!r}")
            return replace(member, ensemble=True)
        if text.startswith(f"{PASSED}:"):
            return cls(name=text)
        if text.startswith("fixed:"):
            match = _FIXED.fullmatch(text)
            if match is None or text.startswith(f"fixed:{_ENSEMBLE}"):
                raise ValueError(f"want fixed:SPACE:ARCHITECTURE, got {text[:80]!r}")
            return replace(cls.parse(match["space"]), architecture=match["architecture"])
        file, colon, variable = text.rpartition(":")
        if colon and file.endswith(".py"):
            if not variable.isidentifier():
                raise ValueError(f"want path/to/file.py:variable, got {text[:200]!r}")
            return cls(file=Path(file), variable=variable)
        if text.endswith(".py"):
            raise ValueError(f"want path/to/file.py:variable, got {text!r}: which variable is it?")
        if is_code(text):
            return cls(module=file, variable=variable)
        name, settings = notation.parse(text)
        return cls(name=name, settings=tuple(settings.items()))

    def __str__(self) -> str:
        return f"{_ENSEMBLE}{self._member}" if self.ensemble else self._member

    @property
    def _member(self) -> str:
        """The text of the space of networks."""
        if self.is_code:
            space = f"{self.file or self.module}:{self.variable}"
        else:
            space = notation.write(self.name, dict(self.settings))
        return space if self.architecture is None else f"fixed:{space}:{self.architecture}"

    @property
    def is_code(self) -> bool:
        """True if the space is in a file or a module of the user's own, which has to be run."""
        return self.file is not None or bool(self.module)

    @property
    def kind(self) -> Literal["registered", "file", "module", "passed"]:
        """The place of the definition: the registry, a file, a module, or a program's memory."""
        if self.name.startswith(f"{PASSED}:"):
            return "passed"
        if self.is_code:
            return "module" if self.file is None else "file"
        return "registered"

    def absolute(self) -> SpaceReference:
        """The same reference from any working directory: the path of its file is absolute."""
        return self if self.file is None else replace(self, file=self.file.absolute())

    def same_but_for_place(self, other: SpaceReference) -> bool:
        """Tell whether both name the same variable of a file, in any folder, or are equal.

        The contents of the files are not compared: their SHA-256 digests are, elsewhere.
        """
        if self.file is None or other.file is None:
            return self == other
        return replace(self, file=other.file) == other
