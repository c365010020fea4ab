"""The decisions in which two architectures, or two configurations, differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.tree.values import Scalar

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """A decision with different options before and after; None where the decision is absent."""

    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.path}: {self.before or '-'} -> {self.after or '-'}"


def differences(before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> tuple[Change, ...]:
    """The decisions in which two flat values differ, in the order of `after`."""
    return tuple(
        Change(path, _option(before, path), _option(after, path))
        for path in dict.fromkeys([*after, *before])
        if before.get(path, _ABSENT) != after.get(path, _ABSENT)
    )


def _option(flat: Mapping[str, Scalar], path: str) -> str | None:
    if path not in flat:
        return None
    option = flat[path]
    return f"{option:.4g}" if isinstance(option, float) else str(option)
