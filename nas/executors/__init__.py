"""Executors: where evaluations run.

To add one: write a module with a class that is made from a blueprint and terms and has `submit`,
`wait`, `spent` and `close`, and name it in `EXECUTORS`. What a trial does to its process must cost
that trial only: `tests/nas/executors/test_executors.py` holds every one to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nas.core.registry import Entry, look_up
from nas.core.trial import Proposal
from nas.evaluators import Evaluator, Outcome
from nas.evaluators.blueprint import Blueprint
from nas.executors.resource_limits import ResourceLimits


@dataclass(frozen=True, slots=True)
class Utilization:
    """Seconds of all workers together, since each could begin its first trial."""

    busy: float = 0.0
    idle: float = 0.0

    @property
    def idle_share(self) -> float:
        """The part of it that was idle, 0..1."""
        whole = self.busy + self.idle
        return self.idle / whole if whole else 0.0


class Executor(Protocol):
    """Runs evaluations, any number at a time.

    A trial that ends its process, outlives its time or outgrows its memory fails alone, with its
    cause. One whose process was ended from outside is run once more, from the same seed;
    `measured["retried"]` says why.
    """

    def submit(self, number: int, proposal: Proposal) -> None:
        """Take on the evaluation of trial `number`."""

    def wait(self) -> tuple[int, Outcome]:
        """Block until one of the evaluations taken on has ended, in any order; return it.

        Raises:
            ValueError: no evaluator can be made where the trials are to run.
            ChildProcessError: no process stays alive there.
        """

    def spent(self) -> Utilization:
        """How the workers' time was spent so far."""

    def close(self) -> None:
        """Stop what is running, at once, and leave no process behind. Twice is once."""


EXECUTORS: dict[str, Entry] = {
    "in-process": Entry(
        "nas.executors.in_process", "InProcess", "one trial after another, in this process", ""
    ),
    "workers": Entry(
        "nas.executors.workers", "Workers", "processes on this machine that trials cannot hurt", ""
    ),
    "ray": Entry("nas.executors.on_ray", "OnRay", "a Ray cluster: many machines", "ray.io"),
}


def choose(name: str | None, terms: ResourceLimits) -> str:
    """The executor that is asked for, or else the simplest that can keep to the terms.

    Raises:
        ValueError: there is no such executor, or it cannot keep to the terms.
    """
    if name is None:
        alone = not terms.auto and terms.workers == 1 and not (terms.timeout or terms.memory)
        name = "ray" if terms.address is not None else "in-process" if alone else "workers"
    if name not in EXECUTORS:
        raise ValueError(f"want an executor ({', '.join(EXECUTORS)}), got {name!r}")
    if name == "in-process" and (terms.workers > 1 or terms.timeout or terms.memory):
        raise ValueError(
            "executor in-process: it has one worker, no deadline and no memory cap; want workers"
        )
    if terms.auto and name != "workers":
        raise ValueError(
            f"executor {name}: it finds no number of workers; want a number, or workers"
        )
    if terms.total_memory and name == "ray":
        raise ValueError("executor ray: it has no total memory; want workers, or --resources")
    if name != "ray" and terms.address is not None:
        raise ValueError(f"executor {name}: it has no address; want ray")
    return name


def make(
    name: str, blueprint: Blueprint, terms: ResourceLimits, *, here: Evaluator | None = None
) -> Executor:
    """A new executor; it starts no process before it is given a trial.

    Args:
        name: A name of `EXECUTORS`.
        blueprint: Of the evaluator of every worker.
        terms: On which trials run.
        here: What the blueprint makes, if this process has it already.
    """
    cls, _ = look_up("executor", EXECUTORS, name)
    made = (here or blueprint.make(),) if name == "in-process" else (blueprint, terms)
    executor: Executor = cls(*made)
    return executor
