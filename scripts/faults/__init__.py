"""Kinds of injected faults, one module each: `python scripts/torture.py` runs them.

Every module has a function `run(quick, folder)` that injects its faults in an empty folder and
returns a finding. It raises `Impossible` where this machine does not allow the fault.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one kind of fault: true if the toolkit withstood it, and its figures."""

    held: bool
    lines: tuple[str, ...]


class Impossible(Exception):  # noqa: N818 - nothing went wrong
    """The fault cannot be injected on this machine, for the reason given."""
