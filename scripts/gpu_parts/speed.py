"""Parts that measure time, each of them alone on the machine."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import torch

import search_spaces
import trainers
from gpu_parts.trial import Trial, sampled
from nas.core.configuration import Configuration
from nas.estimators.training_demand import RATED
from nas.evaluators.training import Training
from nas.executors import turns
from trainers.loop.batch_step import dropout, make_step
from trainers.loop.batches import batches
from trainers.loop.cuda_graph import GraphStep
from trainers.loop.train import evaluation_batch
from trainers.recipes.optimizers import learning_rates, set_learning_rate


def graphs(trial: Trial) -> None:
    """Captured steps against eager ones, for one network of every space."""
    batch, steps = (8, 6) if trial.tiny else (256, 12)
    for name in ("mlp", "nasbench201") if trial.tiny else search_spaces.SPACES:
        with trial.step(name):
            recipe = trainers.Recipe(epochs=1, batch_size=batch, learning_rate=0.02, dropout=0.1)
            eager = _steps(trial, name, recipe, steps, captured=False)
            again = _steps(trial, name, recipe, steps, captured=False)
            graph = _steps(trial, name, recipe, steps, captured=True)
            figures = {
                "eager against itself": _apart(eager["losses"], again["losses"]),
                "graph against eager": _apart(eager["losses"], graph["losses"]),
                "eager ms": 1000 * min(again["seconds"]),
                "graph ms": 1000 * min(graph["seconds"]),
                "all ms": [round(1000 * s, 2) for s in graph["seconds"]],
                **_captured(trial, graph),
            }
            trial.put(name, figures)
            trial.put(name, {**figures, **_beside_steps(trial, name, graph["net"], recipe, steps)})
            del eager, again, graph
            trainers.memory.release()


def _steps(
    trial: Trial, name: str, recipe: trainers.Recipe, steps: int, *, captured: bool
) -> dict[str, Any]:
    """Losses and seconds of some steps of a new network, and the steps that were captures."""
    net, task = trial.network(name)
    data = trial.dataset(steps * recipe.batch_size, task.input_shape)
    eager = trial.eager_step(net, recipe, "bfloat16" if trial.on_gpu else "float32")
    step = make_step(eager, trial.torch_device) if captured else eager
    losses: list[float] = []
    seconds: list[float] = []
    captures: list[float] = []  # milliseconds
    rates = learning_rates(recipe, steps)
    with trainers.seeded(7, trial.torch_device), dropout(net, recipe.dropout):
        for batch in batches(data, recipe, epoch=1, seed=0):
            set_learning_rate(eager.optimizer, next(rates))
            trial.synchronise()
            start = perf_counter()
            loss = step(*batch)
            trial.synchronise()
            seconds.append(perf_counter() - start)
            losses.append(loss.item())
            if isinstance(step, GraphStep) and len(step._captured) > len(captures):
                captures.append(1000 * seconds[-1])
    return {
        "losses": losses,
        "seconds": seconds,
        "captures": captures,
        "step": step,
        "net": net,
        "batch": batch,
    }


def _captured(trial: Trial, graph: dict[str, Any]) -> dict[str, Any]:
    """Figures of the captures and of a replay; none without a GPU."""
    step, batch = graph["step"], graph["batch"]
    if not isinstance(step, GraphStep):
        return {}
    figures = {"fallback": step.fallback, "captures ms": graph["captures"]}
    if captured := step._captured.get(batch.inputs.shape):
        figures["replay ms"] = 1000 * trial.seconds(captured.graph.replay, 30)
        start = perf_counter()
        for _ in range(20):
            step(*batch)
        figures["host ms"] = 1000 * (perf_counter() - start) / 20  # the device is not waited for
        trial.synchronise()
    return figures


def _beside_steps(
    trial: Trial, name: str, net: torch.nn.Module, recipe: trainers.Recipe, steps: int
) -> dict[str, float]:
    """Milliseconds of a batch's data, and of an evaluation of as many examples as are trained on."""
    _, _, task = sampled(name)
    data = trial.dataset(steps * recipe.batch_size, task.input_shape)
    size = evaluation_batch(recipe.batch_size, 1, data)

    def read() -> None:
        for _ in batches(data, recipe, epoch=1, seed=0):
            pass

    def evaluate() -> None:
        trainers.evaluate(net, data.train, data, batch_size=size)

    for warm_up in (read, evaluate):
        warm_up()
    return {
        "data ms": 1000 * trial.seconds(read) / steps,
        "evaluation ms": 1000 * trial.seconds(evaluate),
    }


def _apart(one: list[float], two: list[float]) -> float:
    """The largest relative difference of two losses; NaN if one of them is."""
    first, second = np.array(one), np.array(two)
    return float((np.abs(first - second) / np.maximum(1e-9, np.abs(first))).max())


def slots(trial: Trial) -> None:
    """Examples per second of 1, 2, 4 and 8 trainings that take turns in one process."""
    batch = 8 if trial.tiny else 256
    for name in ("mlp",) if trial.tiny else ("nasbench201", "mobile", "mlp"):
        with trial.step(name):
            space, architecture, task = sampled(name)
            data = trial.dataset(RATED * batch, task.input_shape)
            evaluator = Training(space, data, fixed={"batch_size": batch}, seed=0)
            rates: dict[int, float] = {}
            for count in (1, 2) if trial.tiny else (1, 2, 4, 8):
                seconds, configuration = 0.2 if trial.tiny else 2.0, Configuration.of(architecture)
                rates[count] = turns.throughput(evaluator, count, configuration, seconds)
                gain = rates[count] / max(rates[1], 1e-9)
                trial.put(name, {"examples a second": dict(rates), "gain": gain})


def throughput(trial: Trial) -> None:
    """Candidates an hour by our loop and by the plain one, in turns."""
    from nas.benchmark.throughput import Bench

    images, loaders = (400, 0) if trial.tiny else (55_000, 8)
    names = (
        ["nasbench201:channels=8,cells=1"] if trial.tiny else ["nasbench201", "mobile:width=0.25"]
    )
    for batch in (16,) if trial.tiny else (256, 1024):
        bench = Bench(
            trial.npz(images),
            {"epochs": 1, "batch_size": batch},
            device=trial.device,
            loader_workers=loaders,
        )
        for name in names:
            with trial.step(f"{name} {batch}"):
                space, architecture, _ = sampled(name)
                if not trial.tiny:
                    bench.ours(space, architecture, 0)  # loads libraries; not measured
                ours, plain = (
                    bench.ours(space, architecture, 0),
                    bench.plain(space, architecture, 0),
                )
                again = bench.ours(space, architecture, 0)
                fastest = min(ours.seconds, again.seconds)
                figures = {
                    "candidates an hour": {"ours": 3600 / fastest, "plain": 3600 / plain.seconds},
                    "ratio": plain.seconds / fastest,
                    "accuracy": {"ours": ours.accuracy, "plain": plain.accuracy},
                    "peak bytes": ours.peak_bytes,
                }
                trial.put(f"{name} {batch}", figures)
                if not trial.tiny:
                    trial.put(f"{name} {batch} profile", bench.profile(space, architecture))


def workers(trial: Trial) -> None:
    """Examples per second of 8, 4, 2 and 1 worker processes on one device; run it with MPS too."""
    name = "nasbench201:channels=8,cells=1" if trial.tiny else "nasbench201"
    counts = (1,) if trial.tiny else (8, 4, 2, 1)
    _, architecture, _ = sampled(name)
    executor = trial.workers(name, {"batch_size": 16 if trial.tiny else 256}, counts[0])
    try:
        rates = {}
        for count in counts:
            executor.limit_workers(count)
            seconds = 0.5 if trial.tiny else 4.0
            rates[count] = executor.throughput(count, Configuration.of(architecture), seconds)
            trial.put("examples a second", dict(rates))
        trial.put("gain", {count: rate / max(rates[1], 1e-9) for count, rate in rates.items()})
    finally:
        executor.close()
