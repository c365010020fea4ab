"""Sentences for broken clauses, and the global random generators that nothing may touch."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np


def name_of(subject: object) -> str:
    """The name by which a sentence calls an object: its own name, or that of its class."""
    if isinstance(subject, str):
        return subject
    return str(getattr(subject, "__name__", type(subject).__name__))


def require(kept: bool, subject: str, breach: str) -> None:
    """Refuse a subject unless a clause is kept.

    Args:
        kept: True if the clause is kept.
        subject: The name of the object that is checked.
        breach: The rest of the sentence: the broken clause, and how it was broken.

    Raises:
        AssertionError: the clause is not kept.
    """
    if not kept:
        raise AssertionError(f"{subject} {breach}")


@contextmanager
def completes(
    subject: str, deed: str, *, allowed: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn an exception inside the block into the sentence `subject fails to deed: the exception`.

    Args:
        subject: The name of the object that is checked.
        deed: Verb phrase for the call in the block, such as `propose trial 3`.
        allowed: Exceptions that belong to the contract: they pass.

    Raises:
        AssertionError: the block raised another exception.
    """
    try:
        yield
    except allowed:
        raise
    except Exception as error:
        raise AssertionError(f"{subject} fails to {deed}: {in_one_line(error)}") from error


def check_clauses(subject: str, clauses: Iterable[Callable[..., None]], *arguments: object) -> None:
    """Call each clause with the arguments; one that cannot be checked is named by its function.

    Raises:
        AssertionError: a clause is not kept, or raised another exception.
    """
    for clause in clauses:
        words = clause.__name__.strip("_").replace("_", " ")
        with completes(subject, f"be checked for `{words}`", allowed=AssertionError):
            clause(*arguments)


def in_one_line(error: BaseException) -> str:
    """The type and the message of an exception."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


@contextmanager
def global_generators_untouched(subject: str) -> Iterator[None]:
    """Refuse a subject that changes the global generator of random, numpy or torch in the block.

    All are as before at the end of the block.

    Raises:
        AssertionError: one of the generators was used or seeded.
    """
    before = _states()
    try:
        yield
        after = _states()
        for library in before:
            require(
                _equal(before[library], after[library]),
                subject,
                f"uses global randomness: the generator of {library} has changed",
            )
    finally:
        _restore(before)


@contextmanager
def other_global_seeds() -> Iterator[None]:
    """Seed all global generators anew inside the block: results must not depend on them."""
    before = _states()
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global one is what is meant
    if "torch" in before:
        sys.modules["torch"].manual_seed(1)
    try:
        yield
    finally:
        _restore(before)


def _states() -> dict[str, Any]:
    states: dict[str, Any] = {"random": random.getstate(), "numpy": np.random.get_state()}  # noqa: NPY002
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state()
    return states


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(np.array_equal(a, b))


def _restore(states: dict[str, Any]) -> None:
    random.setstate(states["random"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    if "torch" in states:
        sys.modules["torch"].set_rng_state(states["torch"])


def check_metrics(subject: str, metrics: object, where: str) -> dict[str, float]:
    """Refuse what is no mapping of names to finite numbers that JSON can hold; return a copy."""
    require(
        isinstance(metrics, Mapping) and len(metrics) > 0,
        subject,
        f"returns no metrics by name {where}, but {metrics!r:.200}",
    )
    assert isinstance(metrics, Mapping)
    for key, value in metrics.items():
        require(isinstance(key, str), subject, f"names a metric {key!r} {where}: want text")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        require(
            number and isfinite(value),
            subject,
            f"returns {key} {value!r} {where}: want a finite number, an int or a float",
        )
    return dict(metrics)
