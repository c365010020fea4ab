"""Kinds of a thing that are asked for by name: where each is, and what it is."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces import notation as named
from search_spaces.tree.values import Scalar


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a class is, and what it is."""

    module: str
    cls: str
    summary: str
    source: str


def look_up(
    kind: str, entries: Mapping[str, Entry], text: str
) -> tuple[Callable[..., Any], dict[str, Scalar]]:
    """The class that `name:setting=value,...` asks for, and its settings.

    Raises:
        ValueError: there is no such name (lists those there are), or it has no such setting.
    """
    name, settings = named.parse(text)
    if name not in entries:
        raise ValueError(f"want a {kind} ({', '.join(entries)}), got {name!r}")
    entry = entries[name]
    cls = getattr(importlib.import_module(entry.module), entry.cls)
    named.check(name, cls, settings)
    return cls, settings
