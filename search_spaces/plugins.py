"""Plugins: search spaces, strategies and the like that other installed packages offer.

A package offers an object by an entry point, whose group says what it is:

    [project.entry-points."nas.spaces"]
    my_space = "my_package.my_module:space"
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any


@dataclass(frozen=True, slots=True)
class Plugin:
    """An object that another package offers under a name.

    Attributes:
        name: Its name.
        module: The module that it is in.
        attribute: Its name there.
        package: The package that offers it.
        version: The version of that package.
    """

    name: str
    module: str
    attribute: str
    package: str
    version: str

    @property
    def distribution(self) -> str:
        """The package and its version, for listings."""
        return f"{self.package} {self.version}"

    def load(self) -> Any:
        """Import the object.

        Raises:
            ValueError: it cannot be imported; one line that names the package.
        """
        try:
            return getattr(importlib.import_module(self.module), self.attribute)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self.name} of the package {self.distribution} cannot be imported: "
                f"{type(error).__name__}: {reason}"
            ) from error


@cache
def plugins(group: str) -> dict[str, Plugin]:
    """The plugins of a group by name, read once; of two with one name, the first by package."""
    found = [
        Plugin(point.name, point.module, point.attr, point.dist.name, point.dist.version)
        for point in entry_points(group=group)
        if point.dist is not None
    ]
    return {plugin.name: plugin for plugin in sorted(found, key=lambda p: p.package, reverse=True)}
