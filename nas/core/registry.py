"""Registries: the strategies, schedules and executors that are asked for by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces import notation
from search_spaces.plugins import Plugin, plugins
from search_spaces.tree.values import Scalar
from search_spaces.user_files import is_code, load_file_object


@dataclass(frozen=True, slots=True)
class Entry:
    """A class that is imported when it is asked for.

    Attributes:
        module: Its module.
        cls: Its name there.
        summary: One line about it, for listings.
        source: The paper, for listings.
        plugin: The package that offers it; None for a class of the toolkit.
    """

    module: str
    cls: str
    summary: str
    source: str
    plugin: Plugin | None = None

    def load(self) -> Any:
        """Import the class.

        Raises:
            ValueError: another package offers it, and it cannot be imported from there.
        """
        if self.plugin is not None:
            return self.plugin.load()
        return getattr(importlib.import_module(self.module), self.cls)

    def described(self) -> str:
        """The summary; of another package's class, the first line of its docstring."""
        if self.plugin is None:
            return self.summary
        try:
            return ((self.load().__doc__ or "").strip().splitlines() or [""])[0]
        except ValueError as error:
            return str(error)


class Registry(Mapping[str, Entry]):
    """The entries of one kind by name: those of the toolkit, then those of other packages.

    A name of the toolkit always means the toolkit's class.

    Args:
        kind: The word for an entry, with its article, such as "a strategy".
        group: The group of entry points by which other packages offer such classes.
        entries: The entries of the toolkit.

    Attributes:
        own: The entries of the toolkit.
    """

    def __init__(self, kind: str, group: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self.group = group
        self.own = entries

    def __getitem__(self, name: str) -> Entry:
        return self.own[name] if name in self.own else _entry(plugins(self.group)[name])

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from sorted(plugins(self.group).keys() - self.own.keys())

    def __len__(self) -> int:
        return len(self.own.keys() | plugins(self.group).keys())

    def check(self, text: str) -> None:
        """Refuse a text by which `look_up` would find nothing; code of a user's own is not run.

        Raises:
            ValueError: as for `look_up`.
        """
        if not self._is_own_code(text):
            self.look_up(text)

    def look_up(self, text: str) -> tuple[Callable[..., Any], dict[str, Scalar]]:
        """The class that `name:setting=value,...` selects, and its settings.

        `path/to/file.py:Class` and `package.module:Class` select a class of the user's own.

        Raises:
            ValueError: there is no such name (lists those there are), or it has no such setting.
        """
        if self._is_own_code(text):
            return load_file_object(text, self.kind.partition(" ")[2]), {}
        name, settings = notation.parse(text)
        cls = self.load(name)
        notation.check(name, cls, settings)
        return cls, settings

    def _is_own_code(self, text: str) -> bool:
        """True for a reference to code; a name with a setting that lacks its value is none."""
        return is_code(text) and text.partition(":")[0] not in self

    def load(self, name: str) -> Any:
        """The class with a name.

        Raises:
            ValueError: there is no such name; lists the names there are, and suggests the nearest.
        """
        if name not in self:
            near = notation.did_you_mean(name, self)
            raise ValueError(f"want {self.kind} ({', '.join(self)}), got {name!r}{near}")
        return self[name].load()


def _entry(plugin: Plugin) -> Entry:
    return Entry(plugin.module, plugin.attribute, "", "", plugin)
