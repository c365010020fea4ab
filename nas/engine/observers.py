"""Observers of a search: they are told what happens and decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from nas.core.trial import Trial
from nas.runs.control.preparation import RelaxedEpoch
from nas.runs.run import Run


class Observer(Protocol):
    """An object that follows a search, such as a log or a live view.

    One that raises is dropped and the search goes on, so it releases what it holds before it
    raises.

    Examples:
        >>> import nas
        >>> class Log:
        ...     def started(self, run):
        ...         print("started")
        ...
        ...     def observed(self, trial):
        ...         print("trial", trial.number)
        ...
        ...     def ended(self, run):
        ...         print("ended")
        >>> def one(job):
        ...     return {"one": 1}
        >>> settings = dict(evaluator=one, objectives="one:max", space="mlp", trials=1)
        >>> run = nas.search(**settings, out="runs/log", observers=[Log()])
        started
        trial 0
        ended
    """

    def started(self, run: Run) -> None:
        """Note the beginning of a search, whose run holds the trials of earlier sessions."""

    def observed(self, trial: Trial) -> None:
        """Note a new trial, which is in the journal."""

    def ended(self, run: Run) -> None:
        """Note the end of a search, complete or not."""


@runtime_checkable
class ObservesPreparation(Observer, Protocol):
    """An observer that follows the training of a strategy's mixed network, before the first trial."""

    def prepared(self, epoch: RelaxedEpoch) -> None:
        """Note a new epoch, which is in the folder of the run."""


class Observers:
    """Pass events on to observers; drop those that raise.

    Args:
        observers: The observers, in the order in which they are called.
        notify: Called with a message for the user about each observer that was dropped.
    """

    def __init__(self, observers: Iterable[Observer], notify: Callable[[str], None]) -> None:
        self._observers = list(observers)
        self._notify = notify

    def started(self, run: Run) -> None:
        """Tell all observers that the search begins."""
        self._each(lambda observer: observer.started(run))

    def observed(self, trial: Trial) -> None:
        """Tell all observers of a new trial."""
        self._each(lambda observer: observer.observed(trial))

    def prepared(self, epoch: RelaxedEpoch) -> None:
        """Tell the observers that follow preparations of a new epoch."""
        self._each(
            lambda one: one.prepared(epoch) if isinstance(one, ObservesPreparation) else None
        )

    def ended(self, run: Run) -> None:
        """Tell all observers that the search has ended."""
        self._each(lambda observer: observer.ended(run))

    def _each(self, call: Callable[[Observer], None]) -> None:
        for observer in tuple(self._observers):
            try:
                call(observer)
            except Exception as error:  # whatever it is, the search goes on
                self._observers.remove(observer)
                name = type(observer).__name__
                self._notify(f"{name} is no longer updated: {error}; the search goes on")
