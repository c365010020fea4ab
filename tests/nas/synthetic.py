"""A journal of many trials without training: real proposals of a real strategy, invented scores."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from nas.core.candidates import Candidates
from nas.core.failure import Failure
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.estimators.cost import COSTS
from nas.runs.header import Header, environment, hypervolume_references, write_header
from nas.runs.run import Run
from nas.runs.settings import Settings
from nas.strategies import make
from search_spaces import Task
from trainers.data.targets import of_classes

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def write_run(path, trials, *, space="mlp", epochs=3):
    """A run of so many trials, of which one in 25 failed."""
    settings = Settings(
        space=space,
        strategy="evolution:population=20,tournament=5",
        tune=("learning_rate", "batch_size"),
        recipe={"epochs": epochs},
    )
    opened, task = settings.load_space(), Task((1, 8, 8), 10)
    header = Header(
        settings=settings,
        data={
            "name": "digits",
            "fingerprint": "-",
            "targets": of_classes(tuple("0123456789")).to_dict(),
            "input_shape": [1, 8, 8],
            "examples": {"train": 1},
            "mean": [0.0],
            "std": [1.0],
            "flip": False,
        },
        task=task,
        metrics=(METRICS["accuracy"], METRICS["loss"], *COSTS),
        hyperparameters=_tree(settings),
        code={},
        hypervolume_reference=hypervolume_references(JointSpace(opened, task), Objectives()),
        made=environment("cpu"),
    )
    write_header(path, header)
    candidates = Candidates(JointSpace(opened, task, hyperparameters=_tree(settings)))
    strategy = make(settings.strategy, candidates, Objectives())
    run = Run(path)
    journal = run.journal
    for number in range(trials):
        proposal = strategy.ask(Random(f"0/{number}"))
        candidates.ledger.add(proposal)
        trial = _trial(number, proposal, candidates, epochs)
        journal.append(trial)
        strategy.tell(trial)
    journal.close()
    return Run(path)


def _tree(settings):
    from nas.core import hyperparameters

    return hyperparameters.tree(settings.tune, settings.recipe)


def _trial(number, proposal, candidates, epochs):
    rng = Random(f"score/{number}")
    cost = candidates.space.cost(proposal.configuration)
    rate = proposal.hyperparameters["learning_rate"]
    good = 0.5 + 0.05 * math.log10(cost.parameters) - 0.1 * abs(math.log10(rate / 0.1))
    accuracy = min(0.999, max(0.1, good + rng.gauss(0, 0.03)))
    curve = tuple(
        {
            "number": epoch,
            "train_loss": 2.0 / epoch,
            "loss": 2.1 / epoch,
            "accuracy": accuracy * epoch / epochs,
            "learning_rate": rate / epoch,
        }
        for epoch in range(1, epochs + 1)
    )
    scores = {"parameters": cost.parameters, "macs": cost.macs}
    scores["peak_activation_bytes"] = cost.peak_activation_bytes
    recipe = {"epochs": epochs, "batch_size": proposal.hyperparameters["batch_size"]}
    trial = Trial(
        number=number,
        proposal=proposal,
        recipe=recipe | {"learning_rate": rate},
        scores=scores | {"accuracy": accuracy, "loss": 2.1 / epochs},
        curve=curve,
        measured={
            "seconds": 2.0,
            "worker": number % 2,
            "idle": 0.1,
            "ended": (BEGAN + timedelta(seconds=number)).isoformat(timespec="milliseconds"),
        },
    )
    if number % 25 == 24:
        cause = "diverged" if number % 50 == 24 else "out-of-memory"
        failure = Failure(cause, "as it was invented")
        trial = replace(trial, scores=scores, failure=failure, curve=())
    return trial
