"""Each clause of the contract of tasks refuses a task that breaks it, by its sentence."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import nas
from trainers import Classification, Recipe, from_objects, train
from trainers.data.targets import TASK_NAMES
from trainers.tasks.registry import TASKS, make_task, metrics_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
RANKS = np.digitize(X[:, 0], [-0.7, 0.7])
DATA = (X, RANKS)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_of_the_toolkit_passes(name):
    nas.testing.check_task(name)


def test_every_task_has_a_line_in_the_registry():
    assert set(TASKS) == set(TASK_NAMES)


def test_every_metric_of_a_task_is_known_and_passes():
    for name in TASKS:
        assert set(metrics_of(name)) <= nas.core.metrics.METRICS.keys()
    labels = np.eye(4, dtype=int)[RNG.integers(0, 4, 90)] | np.eye(4, dtype=int)[0]
    images = RNG.integers(0, 256, (90, 5, 4, 1)).astype(np.uint8)
    few = 2 * RNG.integers(0, 2, (90, 5, 4))  # class 1 does not occur
    most = np.where(RNG.random((90, 5, 4)) < 0.5, 255, few)
    given = [(X, y, None) for y in (RANKS, RANKS > 1, labels, X[:, :2] * 1e6 + 3e8, X[:, 0])]
    given += [(X, RANKS > 1, "multilabel"), (images, few, None), (images, most, None)]
    for x, y, task in given:
        data = from_objects((x, y), task=task)
        every = make_task(data.targets, metrics=metrics_of(data.targets.task))
        nas.testing.check_task(every, data)


class Ordinal:
    """Ordered classes by K - 1 thresholds: Frank and Hall, "A Simple Approach to Ordinal
    Classification", 2001.
    """

    metrics = ("accuracy", "off_by")

    def criterion(self, recipe, data):
        steps = torch.arange(len(data.classes) - 1)

        def loss(outputs, targets, weights=None):
            above = (targets[:, None] > steps).float()
            losses = F.binary_cross_entropy_with_logits(outputs, above, reduction="none").sum(1)
            return (losses if weights is None else weights * losses).sum()

        return loss

    def measure(self, batches):
        pairs = [(self.predict(outputs), targets) for outputs, targets in batches]
        if not pairs:
            return dict.fromkeys(self.metrics, float("nan"))
        found, wanted = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        accuracy = (found == wanted).double().mean().item()
        return {"accuracy": accuracy, "off_by": (found - wanted).abs().double().mean().item()}

    def predict(self, outputs):
        return (outputs > 0).sum(dim=1)


def test_a_task_of_a_users_own_wants_data():
    with pytest.raises(
        ValueError, match=r"^data: want data that the task Ordinal is for, got none$"
    ):
        nas.testing.check_task(Ordinal())


def perfect(targets):
    return 40.0 * (targets[:, None] > torch.arange(2)).float() - 20


def test_a_task_of_a_users_own_passes_and_is_trained():
    nas.testing.check_task(Ordinal(), DATA, perfect=perfect)
    data = from_objects(DATA)
    network = torch.nn.Linear(4, 2)
    torch.nn.init.zeros_(network.weight)
    recipe = Recipe(epochs=20, learning_rate=0.1, batch_size=16, optimizer="adamw")
    *_, last = train(network, data, recipe, seed=0, task=Ordinal())
    assert last.metrics["accuracy"] > 0.9
    assert last.metrics["off_by"] < 0.1


def by_loss(change):
    """Ordinal with another loss, a function of (loss, outputs, targets, weights)."""

    class Changed(Ordinal):
        def criterion(self, recipe, data):
            loss = super().criterion(recipe, data)
            return lambda outputs, targets, weights=None: change(loss, outputs, targets, weights)

    return Changed()


def by_measure(change):
    """Ordinal with other metrics, a function of them."""

    class Changed(Ordinal):
        def measure(self, batches):
            return change(super().measure(batches))

    return Changed()


def by_predict(change):
    class Changed(Ordinal):
        def predict(self, outputs):
            return change(super().predict(outputs))

    return Changed()


class Twice(Ordinal):
    metrics = ("accuracy", "accuracy")


class Nameless(Ordinal):
    metrics = ()


class Peeping(Ordinal):
    """Weighs the loss by what occurs in the test split."""

    def criterion(self, recipe, data):
        loss, factor = super().criterion(recipe, data), float(len(data.test))
        return lambda *given: factor * loss(*given)


class ByBatch(Ordinal):
    """The mean over batches of different sizes."""

    def measure(self, batches):
        found = [super(ByBatch, self).measure([pair]) for pair in batches]
        if not found:
            return super().measure(())
        return {n: float(np.mean([f[n] for f in found])) for n in self.metrics}


class Guessing(Ordinal):
    """Predicts the middle class, with a share of perfect examples that pays nonetheless."""

    def predict(self, outputs):
        return torch.ones_like(super().predict(outputs))


class ByRank(Ordinal):
    """Predicts relative to the least prediction of the batch, and measures as it should."""

    def measure(self, batches):
        return Ordinal().measure(batches)

    def predict(self, outputs):
        found = super().predict(outputs)
        return found - found.min()


class Failing(Ordinal):
    def measure(self, batches):
        raise KeyError("no such metric")


class Reversed(Ordinal):
    """Reports one minus the accuracy."""

    def measure(self, batches):
        found = super().measure(batches)
        return {**found, "accuracy": 1 - found["accuracy"]}


class Timid(Ordinal):
    """Its accuracy never reaches 1."""

    def measure(self, batches):
        found = super().measure(batches)
        return {**found, "accuracy": 0.9 * found["accuracy"]}


def luck(loss, outputs, targets, weights):
    return loss(outputs, targets, weights) + 0 * torch.rand(())


def drifting(loss, outputs, targets, weights):
    drifting.calls += 1
    return loss(outputs, targets, weights) * drifting.calls


drifting.calls = 0


BROKEN = {
    "no metrics": (Nameless(), r"has metrics \(\): want names"),
    "a metric twice": (Twice(), "names a metric twice: accuracy, accuracy"),
    "vector": (
        by_loss(lambda loss, o, t, w: loss(o, t, w).expand(len(t))),
        "gives the loss as a tensor torch.float32 .*: want a finite scalar",
    ),
    "number": (by_loss(lambda loss, *a: loss(*a).item()), "gives the loss as .*: want a finite"),
    "infinite": (by_loss(lambda loss, *a: loss(*a) / 0), "gives the loss as .* inf: want a finite"),
    "detached": (by_loss(lambda loss, *a: loss(*a).detach()), "gives the loss without a gradient"),
    "flat": (by_loss(lambda loss, *a: 0 * loss(*a)), "with a gradient that is 0 or not finite"),
    "drifting": (by_loss(drifting), "gives the loss differently a second time"),
    "narrow": (
        by_loss(
            lambda loss, o, t, w: loss(o, t, w) + (torch.inf if o.dtype == torch.bfloat16 else 0)
        ),
        "gives the loss of outputs in bfloat16 as .* inf",
    ),
    "mean": (
        by_loss(lambda loss, o, t, w: loss(o, t, w) / len(t)),
        "those of its parts add up to .*: want sums over examples",
    ),
    "unweighted": (
        by_loss(lambda loss, o, t, _: loss(o, t)),
        "with weights 0, 1, 2, .* with examples repeated",
    ),
    "waiting": (
        by_loss(lambda loss, o, t, w: loss(o, t, w) if t.max() < 9 else loss(o, t, w) * 2),
        "a GPU makes the program wait: .*is_nonzero|_local_scalar_dense",
    ),
    "mask": (
        by_loss(lambda loss, o, t, w: loss(o, t, w) + 0 * o[t > 0].sum()),
        "a GPU makes the program wait: index by a mask synchronises",
    ),
    "peeping": (Peeping(), "with other validation and test examples"),
    "luck": (by_loss(luck), "uses global randomness: the generator of torch has changed"),
    "missing": (by_measure(lambda m: {"accuracy": m["accuracy"]}), "measures accuracy: want its"),
    "nan": (
        by_measure(lambda m: {**m, "off_by": float("nan")}),
        "measures off_by nan: want a finite float",
    ),
    "tensor": (
        by_measure(lambda m: {**m, "off_by": torch.tensor(0.5)}),
        "measures off_by tensor.*: want a finite float",
    ),
    "by batch": (ByBatch(), "measures accuracy .* by batches of 48, and .* by batches of 7"),
    "nothing": (
        by_measure(lambda m: {n: 0.0 if v != v else v for n, v in m.items()}),
        "without batches: want NaN for each metric",
    ),
    "type": (
        by_predict(lambda p: p.float()),
        "predicts a tensor torch.float32 .*: want torch.int64",
    ),
    "shape": (by_predict(lambda p: p[:, None]), r"predicts .* \[48, 1\]: want torch.int64 \[48\]"),
    "range": (by_predict(lambda p: p + 7), "predicts classes 7 to 9: want 0 to 2"),
    "by rank": (ByRank(), "an example differently in a smaller batch"),
    "wrong": (Guessing(), "does not predict the targets from perfect outputs"),
    "upwards": (
        by_loss(lambda loss, *a: -loss(*a)),
        "gives perfect outputs the loss -.*, and random ones -",
    ),
    "reversed": (Reversed(), "measures accuracy 0 of perfect outputs, and 0.* of random ones"),
    "timid": (Timid(), "measures accuracy 0.9 of perfect outputs: want 1"),
    "failing": (Failing(), "fails to measure a split: KeyError: 'no such metric'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_clause_refuses_what_breaks_it(name):
    task, sentence = BROKEN[name]
    with pytest.raises(AssertionError, match=rf"^\w+ .*({sentence})") as error:
        nas.testing.check_task(task, DATA, perfect=perfect)
    assert "\n" not in str(error.value)


def test_a_loss_that_balances_by_the_test_split_is_refused():
    class Peeping(Classification):
        def criterion(self, recipe, data):
            return super().criterion(recipe, type(data)(**{**vars(data), "train": data.test}))

    with pytest.raises(AssertionError, match=r"balanced class weights as .* other validation and"):
        nas.testing.check_task(Peeping(), DATA)


def test_networks_are_searched_for_a_task_of_a_users_own(tmp_path):
    @nas.evaluator(
        metrics=["accuracy", nas.Metric("off_by", "minimize", 0)], input_shape=(4,), outputs=2
    )
    def ordinal(job):
        network, data = job.network(), job.data
        assert list(network.parameters())[-1].shape == (2,)
        recipe = Recipe(epochs=3, learning_rate=0.05, batch_size=16, optimizer="adamw")
        for epoch in train(network, data, recipe, seed=job.seed, task=Ordinal()):
            job.report(epoch.number, **epoch.metrics)

    settings = {"space": "mlp", "max_params": 2_000, "trials": 2, "device": "cpu"}
    run = nas.search(**settings, evaluator=ordinal, data=DATA, out=tmp_path / "run")
    assert all(trial.completed for trial in run.trials)
    assert run.best().scores["accuracy"] > 0.5
