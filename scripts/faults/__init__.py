"""Faults that are really injected, a module for each kind: `python scripts/torture.py` runs them.

Every module has a function `run(quick, folder)` that injects its faults in the empty folder it is
given, says what came of them, and never raises for what the toolkit did wrong; `Impossible` where
this machine does not let the fault happen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one kind of fault: whether the toolkit held, and the figures, a line each."""

    held: bool
    lines: tuple[str, ...]


class Impossible(Exception):  # noqa: N818 - nothing went wrong
    """This machine does not let that fault be injected; says why."""
