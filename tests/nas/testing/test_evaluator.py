"""Each clause of the contracts of evaluators and estimators refuses what breaks it."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

import nas
from nas.core.constraints import Constraint
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS
from nas.estimators.cost import ExactCost
from nas.testing.searches import TASK, Learning
from search_spaces import Choice, Real, SearchSpace, Struct, get
from tests.trainers.data import generated
from trainers.tasks.registry import make_task

SPACE = JointSpace(get("nasbench201"), TASK)


def test_the_evaluators_and_estimators_of_the_toolkit_pass(tmp_path):
    from nas.evaluators.training import Training, load_data, task_of

    data, space = load_data("digits", device="cpu"), get("mlp")
    training = Training(space, data, fixed={"epochs": 2}, seed=0, checkpoints=tmp_path)
    drawn = [JointSpace(space, task_of(data)).sample(random.Random(0))]
    nas.testing.check_evaluator(training, drawn, epochs=2)
    nas.testing.check_evaluator(Learning(8), SPACE, epochs=8)
    nas.testing.check_evaluator(Learning(8), [SPACE.sample(random.Random(1))])
    nas.testing.check_estimator(ExactCost(SPACE), SPACE)


@pytest.mark.parametrize("task", ["multilabel", "regression", "segmentation"])
def test_the_training_of_every_task_passes(task, tmp_path):
    from nas.evaluators.training import Training, task_of
    from trainers import from_objects
    from trainers.tasks.registry import metrics_of

    kind = "images" if task == "segmentation" else "vectors"
    data = from_objects(generated.joined(generated.parts(kind, task)))
    space = get("unet" if task == "segmentation" else "tabular")
    joint = JointSpace(space, task_of(data), [Constraint("parameters", "<=", 5_000)])
    training = Training(
        space,
        data,
        fixed={"epochs": 2, "batch_size": 12, "optimizer": "adamw", "class_weights": "balanced"},
        seed=0,
        checkpoints=tmp_path,
        metrics=tuple(METRICS[name] for name in metrics_of(task)),
        learned=make_task(data.targets, metrics=metrics_of(task)),
    )
    nas.testing.check_evaluator(training, [joint.sample(random.Random(1))], epochs=2)


def test_a_function_of_a_user_passes_or_is_refused():
    points = SearchSpace(name="points", tree=Struct(x=Choice(*range(8))))

    @nas.evaluator(metrics=["loss"], hyperparameters={"lr": Real(0, 1)})
    def descend(job):
        state = job.restore() or {"at": float(job.architecture["x"])}
        for epoch in range(job.start_epoch + 1, job.epochs + 1):
            state["at"] *= 1 - job.hyperparameters["lr"]
            job.report(epoch, loss=state["at"])
        job.save(state)

    @nas.evaluator(metrics=["loss"])
    def forgets(job):
        for epoch in range(job.start_epoch + 1, job.epochs + 1):
            job.report(epoch, loss=epoch - job.start_epoch)
        job.save(None)

    nas.testing.check_evaluator(descend, points, epochs=4)

    @nas.evaluator
    def counts(job):
        return len(job.data.train)

    for data in ("digits", (np.zeros((20, 3)), [0, 1] * 10)):
        counted = nas.evaluator(metrics=nas.Metric("examples"))(counts)
        nas.testing.check_evaluator(counted, points, data=data)
    with pytest.raises(AssertionError, match=r"^forgets .*when it is paused and resumed"):
        nas.testing.check_evaluator(forgets, points, epochs=4)


class Undeclared(Learning):
    def evaluate(self, job):
        return {**super().evaluate(job), "recall": 0.5}


class Listing(Learning):
    def evaluate(self, job):
        return list(super().evaluate(job).values())


class Infinite(Learning):
    def evaluate(self, job):
        return {"accuracy": float("inf")}


class Raising(Learning):
    def evaluate(self, job):
        raise KeyError("no such layer")


class Drifting(Learning):
    """Scores depend on what was evaluated before."""

    def evaluate(self, job):
        scores = super().evaluate(job)
        return {**scores, "accuracy": scores["accuracy"] + 0.001 * len(self.evaluated)}


class Careless(Learning):
    metrics = (*Learning.metrics, nas.Metric("luck"))

    def evaluate(self, job):
        return {**super().evaluate(job), "luck": random.random()}


class Reseeded(Learning):
    """Restores the generator that it draws from, but its result depends on its state."""

    metrics = Careless.metrics

    def evaluate(self, job):
        state = np.random.get_state()  # noqa: NPY002
        luck = np.random.random()  # noqa: NPY002
        np.random.set_state(state)  # noqa: NPY002
        return {**super().evaluate(job), "luck": luck}


class Unrecordable(Learning):
    def evaluate(self, job):
        scores = super().evaluate(job)
        job.recipe = {"epochs": self.epochs, "device": object()}
        return scores


class Changed(Learning):
    """A tuple becomes a list in the journal."""

    def evaluate(self, job):
        scores = super().evaluate(job)
        job.recipe = {"epochs": self.epochs, "betas": (0.9, 0.99)}
        return scores


class Unordered(Learning):
    def evaluate(self, job):
        scores = super().evaluate(job)
        job.curve.reverse()
        return scores


class Endless(Learning):
    """Trains on to the last epoch, whatever the budget is."""

    def evaluate(self, job):
        budget = job.proposal.epochs
        scores = super().evaluate(job)
        extra = {"number": budget + 1, "accuracy": 0.5, "loss": 0.5}
        job.curve.append(extra)
        return scores


class Amnesiac(Learning):
    """A resumed training does not have the records of its earlier stages."""

    def evaluate(self, job):
        scores = super().evaluate(job)
        job.curve = job.curve[job.proposal.start_epoch :]
        return scores


class Restarting(Learning):
    """A resumed training has other scores than one that was never paused."""

    def evaluate(self, job):
        scores = super().evaluate(job)
        return {**scores, "loss": scores["loss"] + job.proposal.start_epoch}


class Unpredictable(Learning):
    def memory_demand(self, configuration):
        return SimpleNamespace(bytes=-1)

    def throughput(self, configuration, seconds):
        return 1.0


BROKEN = {
    Listing: "returns no metrics by name of ",
    Undeclared: "returns accuracy, loss, recall of .*: want the metrics that it declares",
    Infinite: "returns accuracy inf of .*: want a finite number",
    Raising: "fails to evaluate .*: KeyError: 'no such layer'",
    Drifting: "gives another scores for .* when it is evaluated a second time",
    Careless: "uses global randomness: the generator of random has changed",
    Reseeded: "gives another scores for .* when it is evaluated a second time",
    Unrecordable: "reports what the journal cannot record, of .*: TypeError",
    Changed: "reports what the journal reads back differently",
    Unordered: r"reports a curve of the epochs \[8, 7, 6",
    Endless: "reports a curve of the epochs .* want rising numbers from 1 to 8",
    Amnesiac: "gives another curve for .* when it is paused and resumed",
    Restarting: "gives another scores for .* when it is paused and resumed",
    Unpredictable: "predicts -1 bytes of memory for ",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda cls: cls.__name__)
def test_each_clause_refuses_an_evaluator_that_breaks_it(broken):
    with pytest.raises(AssertionError, match=f"^{broken.__name__} .*{BROKEN[broken]}") as error:
        nas.testing.check_evaluator(broken(8), SPACE, epochs=8)
    assert "\n" not in str(error.value)


class Estimate:
    """An estimator with a function of the configuration."""

    def __init__(self, estimate):
        self.calls = 0
        self._estimate = estimate

    def estimate(self, configuration):
        self.calls += 1
        return self._estimate(self, configuration)


def share(configuration):
    return sum(op == "none" for op in configuration.architecture.value.values()) / 6


@pytest.mark.parametrize(
    ("estimate", "sentence"),
    [
        (lambda *_: {}, "returns no metrics by name of "),
        (lambda *_: 5.0, "returns no metrics by name of .* but 5.0"),
        (lambda *_: {3: 5.0}, "names a metric 3 of .*: want text"),
        (lambda *_: {"depth": "3"}, "returns depth '3' of .*: want a finite number"),
        (lambda *_: {"depth": True}, "returns depth True of "),
        (lambda *_: {"depth": np.float32(3)}, "returns depth np.float32"),
        (lambda *_: {"depth": float("nan")}, "returns depth nan of "),
        (lambda *_: 1 / 0, "fails to estimate .*: ZeroDivisionError"),
        (lambda _, c: {"a" if share(c) else "b": 1}, "estimates [ab] of .*, and [ab] of others"),
        (lambda e, _: {"calls": e.calls}, "estimates .* differently a second time"),
        (lambda *_: {"luck": random.random()}, "uses global randomness"),
    ],
)
def test_each_clause_refuses_an_estimator_that_breaks_it(estimate, sentence):
    nas.testing.check_estimator(Estimate(lambda _, c: {"share": share(c)}), SPACE)
    with pytest.raises(AssertionError, match=f"^Estimate .*{sentence}") as error:
        nas.testing.check_estimator(Estimate(estimate), SPACE)
    assert "\n" not in str(error.value)
