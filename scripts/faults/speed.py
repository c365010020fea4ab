"""Two workers against one, here and on Ray, and what a search takes beside its trainings.

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
from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.core.proposal import Proposal
from nas.engine.session import Session
from nas.evaluators import factories
from nas.executors import ResourceLimits
from nas.runs.settings import Settings
from nas.views.tensorboard import TensorBoard

SPACE = "nasbench201:channels=8,cells=1"
GAIN, SHARE = 1.8, 0.02  # at least, and at most


def run(*, quick: bool, folder: Path) -> Finding:
    """Measure; quick: only that it can be measured."""
    lines: list[str] = []
    held = True
    data = {"digits": {"epochs": 2 if quick else 10}}
    if "NAS_CIFAR10" in os.environ and not quick:
        data[os.environ["NAS_CIFAR10"]] = {"epochs": 1}
    trials = 4 if quick else 16
    for name, recipe in data.items():
        called = Path(name).stem
        for executor in ("workers",) if quick else ("workers", "ray"):
            one, two = (_rate(name, recipe, folder, executor, n, trials) for n in (1, 2))
            held = held and (quick or two / one >= GAIN)
            lines.append(
                f"{called}, {executor}: {trials} equal trials, {one:.2f} a second with one worker, "
                f"{two:.2f} with two: {two / one:.2f} times"
            )
        share = _share(name, folder / f"search on {called}", trials)
        held = held and (quick or share < SHARE)
        lines.append(
            f"{called}: strategy, journal and log take {share:.2%} of the processor time of a search"
        )
    return Finding(held=held, lines=tuple(lines))


def _rate(
    data: str, recipe: dict[str, int], folder: Path, executor: str, workers: int, trials: int
) -> float:
    """Trials a second, of one architecture, once all workers are warm."""
    settings = Settings(space=SPACE, data=data, recipe=recipe)
    folder.mkdir(exist_ok=True)
    proposal = Proposal(Configuration.of(settings.load_space().known["resnet"]))
    blueprint = factories.blueprint(
        settings, folder, "cpu", metrics=(METRICS["accuracy"], METRICS["loss"])
    )
    with closing(executors.make(executor, blueprint, ResourceLimits(workers=workers))) as place:
        for number in range(workers):
            place.submit(number, proposal)
        for _ in range(workers):
            place.wait()
        start = time.perf_counter()
        for number in range(workers, workers + trials):
            place.submit(number, proposal)
        for _ in range(trials):
            place.wait()
        return trials / (time.perf_counter() - start)


def _share(data: str, folder: Path, trials: int) -> float:
    """The part of a search with two workers that is not spent in them, of all processor time."""
    settings = Settings(space=SPACE, data=data, device="cpu")
    session = Session(
        settings, folder, limits=ResourceLimits(workers=2), observers=(TensorBoard(),)
    )
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
