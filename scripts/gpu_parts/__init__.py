"""Parts of the GPU trial: `python scripts/gpu_trial.py` runs each in a process of its own.

A part is a function `part(trial)` that puts its figures into `trial.found`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the trial.

    Attributes:
        module: Module of this package that has the function.
        seconds: Deadline.
        alone: True if nothing else may run beside it, because it measures time.
        usual: True if it runs unless other parts are named.
    """

    module: str
    seconds: int
    alone: bool = False
    usual: bool = True


PARTS = {
    "info": Part("correctness", 40),
    "tests": Part("correctness", 85),
    "memory": Part("correctness", 85),
    "out_of_memory": Part("correctness", 80),
    "pause": Part("correctness", 80),
    "failed_capture": Part("correctness", 60),
    "sticky_error": Part("correctness", 60),
    "graphs": Part("speed", 85, alone=True),
    "slots": Part("speed", 60, alone=True),
    "throughput": Part("speed", 100, alone=True),
    "workers": Part("speed", 60, alone=True),
    "ranking": Part("learning", 400, alone=True, usual=False),
    "accuracy": Part("learning", 300, alone=True, usual=False),
}
