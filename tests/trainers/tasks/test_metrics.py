"""Metrics of classification equal those of scikit-learn."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from nas.testing.waits import Waits
from trainers import Classification
from trainers.tasks.classification import METRICS, balanced
from trainers.tasks.ranking import roc_auc_macro


def of_labels(name, **settings):
    function = getattr(reference, name)
    return lambda labels, logits: function(labels, logits.argmax(1), **settings)


def cross_entropy(labels, logits):
    return torch.nn.functional.cross_entropy(logits.double(), labels).item()


def top5(labels, logits):
    classes = logits.shape[1]
    if classes <= 5:
        return 1.0  # scikit-learn warns that it means nothing
    return reference.top_k_accuracy_score(labels, logits, k=5, labels=range(classes))


REFERENCES = {
    "accuracy": of_labels("accuracy_score"),
    "loss": cross_entropy,
    "top5_accuracy": top5,
    "balanced_accuracy": of_labels("balanced_accuracy_score"),
    "f1_macro": of_labels("f1_score", average="macro", zero_division=0),
    "f1_weighted": of_labels("f1_score", average="weighted", zero_division=0),
    "precision_macro": of_labels("precision_score", average="macro", zero_division=0),
    "recall_macro": of_labels("recall_score", average="macro", zero_division=0),
    "mcc": of_labels("matthews_corrcoef"),
}


@st.composite
def predictions(draw):
    """Logits and labels, of which some classes never occur or are never predicted."""
    classes, count = draw(st.integers(2, 12)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    occurring, predicted = (draw(st.integers(1, classes)) for _ in range(2))
    logits = rng.normal(size=(count, classes))
    logits[:, predicted:] -= 20
    labels = rng.integers(classes - occurring, classes, count)
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(labels)


def batches(logits, labels, size=17):
    return zip(logits.split(size), labels.split(size), strict=True)


@settings(max_examples=40, deadline=None)
@given(predictions())
@example((torch.eye(3), torch.arange(3)))
@example((torch.eye(3)[[0, 0]], torch.tensor([2, 2])))
def test_metrics_equal_those_of_scikit_learn(drawn):
    logits, labels = drawn
    found = Classification(metrics=tuple(REFERENCES)).measure(batches(logits, labels))
    assert list(found) == list(REFERENCES)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        warnings.filterwarnings("ignore", "A single label was found")
        for name, measure in REFERENCES.items():
            expected = measure(labels, logits)
            assert found[name] == pytest.approx(expected, rel=1e-5, abs=1e-6), name


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_area_under_the_roc_curve_equals_that_of_scikit_learn(classes):
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.integers(-2, 3, (80, classes))).float()  # with ties
    labels = torch.tensor([*range(classes), *rng.integers(0, classes, 80 - classes)])
    likely = logits.double().softmax(1).numpy()
    expected = reference.roc_auc_score(
        labels, likely[:, 1] if classes == 2 else likely, multi_class="ovr"
    )
    found = Classification(metrics=("roc_auc_macro",)).measure(batches(logits, labels))
    assert found == {"roc_auc_macro": pytest.approx(expected)}


def test_the_area_under_the_roc_curve_wants_two_classes():
    with pytest.raises(ValueError, match=r"^roc_auc_macro: want examples of at least 2 classes"):
        roc_auc_macro(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64))


def test_every_metric_is_compared():
    assert {*REFERENCES, "roc_auc_macro"} == set(METRICS)


def test_without_examples_every_metric_is_nan():
    found = Classification(metrics=METRICS).measure([])
    assert list(found) == list(METRICS)
    assert all(math.isnan(value) for value in found.values())


def test_nothing_waits_before_the_last_batch():
    logits, labels = torch.randn(100, 8), torch.randint(8, (100,))
    found = []

    def watched():
        yield from batches(logits, labels, 9)
        found.append(dict(waits.found))

    with Waits() as waits:
        Classification(metrics=METRICS).measure(watched())
    assert found == [{}]


def test_nothing_more_is_computed_than_asked_for():
    logits, labels = torch.randn(100, 8), torch.randint(8, (100,))
    count = {}
    for asked in (("accuracy", "loss"), ("accuracy", "loss", "mcc")):
        with Waits() as operations:
            Classification(metrics=asked).measure(batches(logits, labels, 50))
        count[len(asked)] = operations.operations
    assert count[2] <= 20 < count[3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=50))
def test_balanced_weights_equal_those_of_scikit_learn(labels):
    from sklearn.utils.class_weight import compute_class_weight

    occurring = np.unique(labels)
    found = balanced(torch.tensor(labels), 10)
    expected = compute_class_weight("balanced", classes=occurring, y=labels)
    assert found[occurring].tolist() == pytest.approx(list(expected))
    assert found.count_nonzero() == len(occurring)
    assert found[labels].mean().item() == pytest.approx(1)
