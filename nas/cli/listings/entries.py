"""The commands `nas strategies`, `nas schedules` and `nas executors`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.console import print_json, results
from nas.cli.listings import settings as described
from nas.cli.options import Json

if TYPE_CHECKING:
    from nas.core.registry import Registry

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="One of them, to describe.")]


def strategies(name: Name = None, json: Json = False) -> None:
    """List the search strategies and their settings; NAME describes one."""
    from nas.strategies import STRATEGIES

    _show(STRATEGIES, name, "nas search --strategy", as_json=json)


def schedules(name: Name = None, json: Json = False) -> None:
    """List the schedules, which set the epochs of each trial; NAME describes one."""
    from nas.schedules import SCHEDULES

    _show(SCHEDULES, name, "nas search --schedule", as_json=json)


def executors(name: Name = None, json: Json = False) -> None:
    """List the executors, which run the trials; NAME describes one."""
    from nas.executors import EXECUTORS

    _show(EXECUTORS, name, "nas search --executor", as_json=json)


def document(registry: Registry, name: str) -> dict[str, Any]:
    """Plain data of an entry: name, summary, source, package, settings and about, its paragraphs.

    Raises:
        ValueError: there is no such entry.
    """
    cls = registry.load(name)
    entry = registry[name]
    module = inspect.getmodule(cls)
    own = entry.plugin is None and module is not None
    about = (inspect.getdoc(module) if own else inspect.getdoc(cls)) or ""
    return {
        "name": name,
        "summary": entry.described(),
        "source": entry.source,
        "package": None if entry.plugin is None else entry.plugin.distribution,
        "settings": described.document(described.settings_of(cls)),
        "about": described.paragraphs(about),
    }


def _show(registry: Registry, name: str | None, command: str, *, as_json: bool) -> None:
    if as_json:
        found = [document(registry, each) for each in ([name] if name else registry)]
        print_json(found[0] if name else found)
        return
    console = results()
    for line in _described(registry, name, command) if name else _listed(registry):
        console.print(line, soft_wrap=True)


def _listed(registry: Registry) -> Iterator[str]:
    indent = max(map(len, registry)) + 2
    for name, entry in registry.items():
        source = entry.source if entry.plugin is None else entry.plugin.distribution
        text = f"{entry.described()} ({source})" if source else entry.described()
        yield from described.definition(name, text, indent)
        yield from described.lines(described.settings_of(registry.load(name)))
        yield ""


def _described(registry: Registry, name: str, command: str) -> Iterator[str]:
    found = document(registry, name)
    yield from described.wrapped(f"{name}: {found['summary']}")
    for paragraph in found["about"]:
        yield ""
        yield from described.wrapped(paragraph)
    settings = described.settings_of(registry.load(name))
    if settings:
        yield ""
        yield from described.lines(settings)
    example = ",".join(f"{each.name}={each.default}" for each in settings[:2] if each.default != "")
    yield ""
    yield f"{command} {name}:{example}" if example else f"{command} {name}"
