"""Evaluators of a user's own whose metrics follow from the configuration: no training, no torch."""

from math import log10

import nas
from search_spaces import Choice, Integer, Real, Struct


@nas.evaluator(
    metrics=[
        nas.Metric("f1", "maximize", 0, 1),
        nas.Metric("delay", "minimize", unit="ms"),
    ],
    hyperparameters=Struct(lr=Real(1e-4, 1, log=True), kind=Choice("plain", "tall")),
)
def three(job):
    """Larger learning rates score better; a network is slow by its norm and its kind."""
    settings, decisions = job.hyperparameters, job.architecture.value
    delay = {"none": 1.0, "batch": 3.0, "layer": 5.0}[decisions["norm"]]
    return {
        "f1": min(
            1.0, 0.9 + log10(settings["lr"]) / 8 - 0.01 * (decisions["activation"] == "tanh")
        ),
        "delay": delay * (2 if settings["kind"] == "tall" else 1),
    }


@nas.evaluator(metrics={"error": "minimize"})
def noisy(job):
    """The error is decided by the norm and the epochs; a seed moves it by up to 0.02."""
    worth = {"none": 0.1, "batch": 0.2, "layer": 0.3}[job.architecture.value["norm"]]
    return {"error": worth / job.epochs + 0.02 * (job.seed % 100) / 100}


@nas.evaluator(
    metrics={"error": "minimize"},
    hyperparameters=Struct(
        lr=Real(1e-4, 1, log=True), deep=Struct(layers=Integer(1, 5)), kind=Choice("a", "b")
    ),
)
def alone(job):
    """The error is least for the learning rate 0.01 and the kind a."""
    settings = job.hyperparameters
    return {"error": 100 * abs(log10(settings["lr"]) + 2) + 30 * (settings["kind"] == "b")}
