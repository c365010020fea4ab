"""Settings of strategies, schedules and spaces, from the signature and the docstring that declare them."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from search_spaces.tree.values import Scalar

_WIDTH = 80
_ENTRY = re.compile(r"    (\w+): (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting that `name:setting=value` may change.

    Attributes:
        name: Its name.
        type: The type of its value: "int", "float", "str" or "bool".
        default: The value where none is given.
        range: The allowed values in words, such as "2 or more"; empty if the docstring names none.
        meaning: One sentence; empty if the docstring has none.
    """

    name: str
    type: str
    default: Scalar
    range: str
    meaning: str


def settings_of(factory: Callable[..., Any]) -> list[Setting]:
    """The settings of a class or function: its arguments with a default.

    Their meanings are the entries of its docstring's `Args`. An entry ends with the allowed values, as in
    `population: Number of members. Range: 2 or more.`
    """
    said = arguments(inspect.getdoc(factory) or "")
    found = []
    for name, parameter in inspect.signature(factory).parameters.items():
        if parameter.default is parameter.empty:
            continue
        meaning, _, allowed = said.get(name, "").partition(" Range: ")
        kind = type(parameter.default).__name__
        allowed = allowed.removesuffix(".") or ("true or false" if kind == "bool" else "")
        found.append(
            Setting(
                name=name,
                type=kind,
                default=parameter.default,
                range=allowed.replace("`", ""),
                meaning=meaning.replace("`", ""),
            )
        )
    return found


def arguments(docstring: str) -> dict[str, str]:
    """The entries of the section `Args` of a docstring, by name."""
    found: dict[str, str] = {}
    _, _, section = f"\n{docstring}".partition("\nArgs:\n")
    name = ""
    for line in section.splitlines():
        if not line.startswith("    "):
            break
        if entry := _ENTRY.fullmatch(line):
            name = entry[1]
            found[name] = entry[2]
        elif name:
            found[name] += f" {line.strip()}"
    return found


def paragraphs(docstring: str) -> list[str]:
    """The paragraphs of a docstring before its sections, each on one line; indented ones as they are."""
    text = re.split(r"\n(?:Args|Attributes|Raises|Returns):\n", inspect.cleandoc(docstring))[0]
    parts = [part.strip("\n") for part in text.split("\n\n") if part.strip()]
    return [part if part.startswith(" ") else " ".join(part.split()) for part in parts]


def lines(settings: Sequence[Setting]) -> Iterator[str]:
    """One or more lines for each setting: default, meaning and range, at most 80 columns wide."""
    heads = [f"  {setting.name}={setting.default}" for setting in settings]
    indent = max(map(len, heads), default=0) + 2
    for head, setting in zip(heads, settings, strict=True):
        allowed = f"Range: {setting.range}." if setting.range else ""
        text = " ".join(part for part in (setting.meaning, allowed) if part) or "-"
        yield from definition(head, text, indent)


def definition(head: str, text: str, indent: int) -> list[str]:
    """The lines of a word and its explanation, which begins at a column."""
    margin = " " * indent
    if len(head) + 2 > indent:
        return [head, *wrap(text, _WIDTH, initial_indent=margin, subsequent_indent=margin)]
    return wrap(text, _WIDTH, initial_indent=f"{head:<{indent}}", subsequent_indent=margin)


def wrapped(text: str) -> list[str]:
    """The lines of a paragraph; addresses and indented lines are not broken."""
    if text.startswith(" "):
        return text.splitlines()
    return wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def document(settings: Sequence[Setting]) -> list[dict[str, Scalar]]:
    """Plain data of settings, for `--json`."""
    return [
        {
            "name": setting.name,
            "type": setting.type,
            "default": setting.default,
            "range": setting.range,
            "meaning": setting.meaning,
        }
        for setting in settings
    ]


def module_docstring(module: str) -> str:
    """The docstring of a module, read from its file: the module is not imported."""
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return ast.get_docstring(ast.parse(Path(found.origin).read_text(encoding="utf-8"))) or ""


def choose(entries: Mapping[str, Any], name: str, kind: str) -> Any:
    """The entry called `name`.

    Raises:
        ValueError: there is none; lists those there are.
    """
    from search_spaces.notation import did_you_mean

    if name not in entries:
        near = did_you_mean(name, entries)
        raise ValueError(f"want {kind} ({', '.join(entries)}), got {name[:80]!r}{near}")
    return entries[name]
