"""Executors: where evaluations run.

To add one: write a module with a class that is made from a blueprint and limits, has the methods
of `Executor` and says what it can do (`capabilities`), and name it in `EXECUTORS`. Whatever a trial
does to its process must cost that trial only: `nas.testing.check_executor` checks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from nas.core.budgets.deadline import Deadline
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.core.registry import Entry, Registry
from nas.core.trial import Trial
from nas.evaluators import Evaluator
from nas.evaluators.blueprint import Blueprint
from nas.runs.resource_limits import ResourceLimits


@dataclass(frozen=True, slots=True)
class Utilization:
    """Busy and idle seconds of all workers together, from the time that each could begin a trial."""

    busy: float = 0.0
    idle: float = 0.0

    @property
    def idle_share(self) -> float:
        """The idle share of the whole, 0..1."""
        whole = self.busy + self.idle
        return self.idle / whole if whole else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The resource limits that an executor can keep to.

    Attributes:
        workers: Several trials at a time.
        deadlines: A time limit for each trial.
        memory_caps: A memory limit for each trial.
        total_memory: A memory limit for all trials of a device together.
        autotuning: Finding the best number of workers by itself.
        cluster: An address of other machines.
        in_turns: Several trials at a time take turns in one worker process, so that one that hangs
            holds the others up.
    """

    workers: bool = False
    deadlines: bool = False
    memory_caps: bool = False
    total_memory: bool = False
    autotuning: bool = False
    cluster: bool = False
    in_turns: bool = False


class Executor(Protocol):
    """Runs evaluations, any number at a time.

    A trial that ends its process, exceeds its time or its memory fails alone, with its cause. One
    whose process was killed from outside runs once more, from the same seed, and so does, alone,
    one that found no room on a GPU beside others; `measured["retried"]` has the reason. A process
    whose GPU a trial has broken runs no other trial.
    """

    capabilities: Capabilities

    def submit(self, number: int, proposal: Proposal) -> None:
        """Accept the evaluation of trial `number`."""

    def wait(self) -> Trial:
        """Block until one of the submitted evaluations has ended, in any order; return it.

        Raises:
            ValueError: no evaluator can be made where the trials run.
            ChildProcessError: no process stays alive there, or can use its GPU any more.
        """

    def utilization(self) -> Utilization:
        """Busy and idle time of the workers so far."""

    def close(self) -> None:
        """Stop everything that runs, at once, and leave no process behind. May be called twice."""


@runtime_checkable
class Autotunable(Executor, Protocol):
    """An executor whose number of workers can be chosen by measuring."""

    def throughput(self, count: int, configuration: Configuration, seconds: float) -> float:
        """Examples per second of `count` workers that train `configuration` side by side.

        Call it before any trial is submitted. 0 if one of them cannot.
        """

    def limit_workers(self, count: int) -> None:
        """Run at most `count` workers from now on."""


@runtime_checkable
class Timed(Executor, Protocol):
    """An executor that keeps to a budget of time."""

    def keep_to(self, deadline: Deadline | None) -> None:
        """Stop at a deadline; call it before any trial is submitted.

        From the first trial on that `deadline` does not admit when it is to begin, none begins. What
        runs at the deadline stops at its next epoch; where a trial has a process of its own, it is
        ended if that takes too long, with the failure "timeout". Then `wait` raises `TimeUp`.

        Args:
            deadline: The deadline; None for no deadline any more.
        """


EXECUTORS = Registry(
    "an executor",
    "nas.executors",
    {
        "in-process": Entry(
            "nas.executors.in_process", "InProcess", "one trial after another, in this process", ""
        ),
        "workers": Entry(
            "nas.executors.workers",
            "Workers",
            "worker processes on this machine, isolated from each other",
            "",
        ),
        "ray": Entry("nas.executors.on_ray", "OnRay", "a Ray cluster: many machines", "ray.io"),
        "slots": Entry(
            "nas.executors.slots",
            "Slots",
            "trials that take turns in one worker process, a training step each",
            "",
        ),
    },
)


def choose(name: str | type | None, limits: ResourceLimits) -> str | type:
    """The executor called `name`, or else the first of the toolkit that can keep to the limits.

    A class of a user's own is returned as it is.

    Raises:
        ValueError: there is no such executor, or it cannot keep to the limits.
    """
    able = [n for n in EXECUTORS.own if not _missing(n, limits)]
    if name is None:
        if not able:
            lacks = "; ".join(f"{n} has no {_missing(n, limits)[0]}" for n in EXECUTORS.own)
            raise ValueError(f"no executor can keep to these limits: {lacks}")
        return able[0]
    if missing := _missing(name, limits):
        remedy = f"; want {' or '.join(able)}" if able else ""
        raise ValueError(f"executor {name}: it has no {' and no '.join(missing)}{remedy}")
    return name


def make(
    name: str | type, blueprint: Blueprint, limits: ResourceLimits, *, here: Evaluator | None = None
) -> Executor:
    """Make an executor; it starts no process before the first trial is submitted.

    Args:
        name: A name of `EXECUTORS`, or a class.
        blueprint: Blueprint of the evaluator of every worker.
        limits: Resource limits of the trials.
        here: The evaluator that the blueprint makes, if this process has it already.
    """
    cls = _class_of(name)
    made: Executor = cls(here or blueprint.make()) if trains_here(name) else cls(blueprint, limits)
    return made


def trains_here(name: str | type) -> bool:
    """True if the trials of an executor run in this process."""
    return not capabilities(name).workers


def capabilities(name: str | type) -> Capabilities:
    """The capabilities of the executor called `name`, or of a class."""
    found: Capabilities = _class_of(name).capabilities
    return found


def _class_of(name: str | type) -> Any:
    return name if isinstance(name, type) else EXECUTORS.load(name)


def _missing(name: str | type, limits: ResourceLimits) -> list[str]:
    """The capabilities that `limits` need and the executor does not have, in words."""
    has = capabilities(name)
    needed = {
        "workers": limits.workers > 1 or limits.auto,
        "deadlines": limits.timeout is not None,
        "memory_caps": limits.memory is not None,
        "total_memory": limits.total_memory is not None,
        "autotuning": limits.auto,
        "cluster": limits.address is not None,
    }
    return [_WORDS[name] for name in needed if needed[name] and not getattr(has, name)]


_WORDS = {
    "workers": "more than one worker",
    "deadlines": "deadline",
    "memory_caps": "memory cap",
    "total_memory": "total memory",
    "autotuning": "automatic number of workers",
    "cluster": "address of a cluster",
}
