"""Evaluations that take turns in one process, a training step each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any

from nas.core.budgets.deadline import Deadline
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators import Evaluator, Stepwise, gpu
from nas.executors import guarded
from nas.executors.messages import pack, trial_fields, unpack


class Turns:
    """The evaluations that run in this process.

    An evaluator that cannot evaluate in steps evaluates one trial after another. An exception of a
    trial is its failure.

    Args:
        evaluator: The evaluator of all trials.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._running: dict[int, Generator[None, None, Trial]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def begin(
        self,
        slot: int,
        number: int,
        proposal: Proposal,
        deadline: Deadline | None = None,
        on_epoch: Callable[[], None] = lambda: None,
        *,
        shares_gpu: bool = False,
    ) -> None:
        """Begin a trial in a slot; for the other arguments, see `guarded.evaluate`."""
        self._running[slot] = guarded.evaluate_in_steps(
            self._evaluator, number, proposal, deadline, on_epoch, shares_gpu=shares_gpu
        )

    def round(self) -> Iterator[tuple[int, Trial]]:
        """Run a step of each trial; yield the slot and the result of those that end by it.

        Raises:
            OSError: the disk is full.
        """
        for slot, steps in list(self._running.items()):
            try:
                next(steps)
            except StopIteration as end:
                del self._running[slot]
                yield slot, end.value


def throughput(
    evaluator: Evaluator, count: int, configuration: Configuration, seconds: float
) -> float:
    """Examples per second of `count` trainings of `configuration` that take turns.

    The first pass of each, in which much is initialised, does not count. 0 if the evaluator cannot
    train in steps, or not so many at a time.
    """
    if not isinstance(evaluator, Stepwise):
        return 0.0
    trainings = [evaluator.train_in_steps(configuration) for _ in range(count)]
    try:
        for training in trainings:
            _pass(training)
        start, done = monotonic(), 0
        while monotonic() < start + seconds or not done:
            done += sum(map(next, trainings))
        return done / (monotonic() - start)
    except Exception:  # such as too little memory for so many
        return 0.0
    finally:
        for training in trainings:
            training.close()
        gpu.release()


def _pass(training: Generator[int]) -> None:
    """Run a training until it has learned its first examples."""
    while not next(training):
        pass


def serve(evaluator: Evaluator, connection: Connection) -> None:
    """Carry out the orders of a search between turns, until it closes the link.

    Once a trial has broken the GPU of this process, it answers and returns.
    """
    turns = Turns(evaluator)
    while True:
        while not turns or connection.poll():
            try:
                order = unpack(connection.recv_bytes())
            except (EOFError, OSError):
                return
            answer = _carry_out(evaluator, turns, order, connection)
            if answer is not None:
                connection.send_bytes(pack(answer))
        try:
            for slot, trial in turns.round():
                state = {"damage": gpu.damage(), "worn": bool(gpu.wear())}
                answer = {"slot": slot, "trial": trial_fields(trial), **state}
                connection.send_bytes(pack(answer))
                if answer["damage"]:
                    return
        except OSError as full:
            connection.send_bytes(pack({"full": [full.errno, full.strerror, full.filename]}))


def _carry_out(
    evaluator: Evaluator, turns: Turns, order: dict[str, Any], connection: Connection
) -> dict[str, Any] | None:
    """Predict memory, measure throughput, or begin a trial; return the answer, if there is one."""
    proposal, slot = Proposal.from_dict(order["proposal"]), order["slot"]
    match order["do"]:
        case "predict":
            demand = guarded.memory_demand(evaluator, proposal.configuration)
            return {"slot": slot, "demand": asdict(demand)}
        case "measure":
            count, seconds = order["count"], order["seconds"]
            return {"rate": throughput(evaluator, count, proposal.configuration, seconds)}
    left = order["seconds_left"]

    def on_epoch() -> None:
        if left is not None:
            connection.send_bytes(pack({"slot": slot, "epoch": True}))

    deadline = None if left is None else Deadline(at=monotonic() + left)
    number, shares = order["number"], order["shares_gpu"]
    turns.begin(slot, number, proposal, deadline, on_epoch, shares_gpu=shares)
    return None
