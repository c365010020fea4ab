"""Two workers against one on equal trainings, and what the search itself takes beside them.

Wants a machine with two cores that nothing else uses. CIFAR-10 is a folder or a file that
`nas search --data` takes, named by the environment variable NAS_CIFAR10; without it, only digits.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import processes

from faults import Finding
from nas import executors
from nas.evaluators import factories
from nas.executors import Terms
from nas.session import Session
from nas.settings import Settings
from nas.trial import Proposal

SPACE = "nasbench201:channels=8,cells=1"
GAIN, SHARE = 1.8, 0.02  # at least, and at most


def run(*, quick: bool, folder: Path) -> Finding:
    """Measure; quick: only that it can be measured."""
    lines: list[str] = []
    held = True
    data = {"digits": {"epochs": 2 if quick else 20}}
    if "NAS_CIFAR10" in os.environ and not quick:
        data[os.environ["NAS_CIFAR10"]] = {"epochs": 1}
    for name, recipe in data.items():
        trials = 4 if quick else 16
        rates = {}
        for workers in (1, 2):
            rates[workers] = _rate(name, recipe, folder / str(workers), workers, trials)
        share = _share(name, folder / "search", trials)
        gain = rates[2] / rates[1]
        held = held and (quick or (gain >= GAIN and share < SHARE))
        lines.append(
            f"{Path(name).stem}: {trials} equal trials, {rates[1]:.2f} a second with one worker, "
            f"{rates[2]:.2f} with two: {gain:.2f} times; strategy, journal and log take {share:.2%} of "
            f"the processor time of a search"
        )
    return Finding(held=held, lines=tuple(lines))


def _rate(data: str, recipe: dict[str, int], folder: Path, workers: int, trials: int) -> float:
    """Trials a second, of one architecture, once all workers are warm."""
    settings = Settings(space=SPACE, data=data, recipe=recipe)
    folder.mkdir()
    proposal = Proposal(settings.load_space().known["resnet"])
    blueprint = factories.training_blueprint(settings, folder, "cpu")
    with closing(executors.make("workers", blueprint, Terms(workers=workers))) as executor:
        for number in range(workers):
            executor.submit(number, proposal)
        for _ in range(workers):
            executor.wait()
        start = time.perf_counter()
        for number in range(workers, workers + trials):
            executor.submit(number, proposal)
        for _ in range(trials):
            executor.wait()
        return trials / (time.perf_counter() - start)


def _share(data: str, folder: Path, trials: int) -> float:
    """The part of a search with two workers that is not spent in them, of all processor time."""
    settings = Settings(space=SPACE, data=data, device="cpu")
    session = Session(settings, folder, terms=Terms(workers=2))
    search = session.run(trials + 2)
    for _ in range(2):  # until both workers are warm
        next(search)
    pids = processes.workers(os.getpid())
    own, used = time.process_time(), sum(map(processes.processor_seconds, pids))
    for trial in search:
        if trial.number == trials:  # the workers end with the last
            used = sum(map(processes.processor_seconds, pids)) - used
            own = time.process_time() - own
    return own / (own + used)
