"""The notation `name:setting=value,setting=value`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from search_spaces.tree.values import Scalar

MOST = 1_000_000_000  # largest integer in a setting


def parse(text: str) -> tuple[str, dict[str, Scalar]]:
    """Parse a text to a name and its settings.

    Raises:
        ValueError: the text is malformed.
    """
    name, colon, rest = text.partition(":")
    settings: dict[str, Scalar] = {}
    for part in rest.split(",") if colon else []:
        setting, equals, value = part.partition("=")
        if not equals or not setting.isidentifier():
            raise ValueError(f"want {name}:setting=value,setting=value, got {text[:200]!r}")
        settings[setting] = _scalar(value)
    return name, settings


def write(name: str, settings: Mapping[str, Scalar]) -> str:
    """The text that `parse` reads as `name` and `settings`."""
    texts = ",".join(f"{setting}={value}" for setting, value in settings.items())
    return f"{name}:{texts}" if texts else name


def check(name: str, factory: Callable[..., Any], settings: Mapping[str, object]) -> None:
    """Refuse settings that are no parameters of `factory` with a default.

    Raises:
        ValueError: a setting is unknown, or not of the type of its default; says which.
    """
    defaults = {
        setting: parameter.default
        for setting, parameter in inspect.signature(factory).parameters.items()
        if parameter.default is not parameter.empty
    }
    for setting, value in settings.items():
        if setting not in defaults:
            raise ValueError(
                f"{name}: want one of its settings ({_list(defaults)}), got {setting[:80]!r}"
                f"{did_you_mean(setting, defaults)}"
            )
        kind = type(defaults[setting])
        if isinstance(value, int) and abs(value) > MOST:
            raise ValueError(f"{name}: want {setting} of at most {MOST:,}, got {str(value)[:40]}")
        if kind in (int, float, bool, str) and not _fits(value, kind):
            raise ValueError(f"{name}: want {setting} as {kind.__name__}, got {str(value)[:80]!r}")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of an error message that suggests the name nearest to an unknown one.

    Returns:
        `; did you mean NAME?`, or nothing if none is near.
    """
    import difflib

    near = difflib.get_close_matches(name[:80], names, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "it has none"


def _scalar(text: str) -> Scalar:
    if text.lower() in ("true", "false"):  # as typed, and as Python prints it
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _fits(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind
