"""Executors: where evaluations run."""

from __future__ import annotations

from typing import Protocol

from nas.evaluators import Outcome
from nas.trial import Proposal


class Executor(Protocol):
    """Runs evaluations, any number at a time."""

    def submit(self, number: int, proposal: Proposal) -> None:
        """Take on the evaluation of trial `number`."""

    def wait(self) -> tuple[int, Outcome]:
        """Block until one of the evaluations taken on has ended, in any order; return it."""
