"""Settings that follow from the data, and the sentences for those that do not fit them."""

import numpy as np
import pytest

from nas.core.hyperparameters import NAMES
from nas.engine.session import Session
from nas.runs.header import write_header
from nas.runs.settings import AUTO, Settings
from trainers.recipes.for_data import MOST_DECAY

RNG = np.random.default_rng(0)
N = 60
VECTORS = RNG.normal(size=(N, 4)).astype(np.float32)
IMAGES = RNG.integers(0, 256, (N, 8, 8, 1)).astype(np.uint8)
DATA = {
    "equal": (VECTORS, np.arange(N) % 3),
    "unequal": (VECTORS, (np.arange(N) % 6 == 0).astype(int)),
    "words": (VECTORS, np.array(["a", "b"])[np.arange(N) % 2]),
    "labels": (VECTORS, np.array([[1, 1], [0, 1], [0, 0]])[np.arange(N) % 3]),
    "amounts": (VECTORS, RNG.normal(size=N)),
    "numbers": (VECTORS, RNG.permutation(N)),
    "masks": (IMAGES, RNG.integers(0, 2, (N, 8, 8))),
    "large": (np.zeros((20, 96, 100, 1), np.uint8), np.arange(20) % 2),
    "sequences": (RNG.normal(size=(N, 2, 40)).astype(np.float32), np.arange(N) % 2),
}


@pytest.fixture
def opened(tmp_path):
    def open_(name, notify=None, **settings):
        """The session of a search, and its lines by subject."""
        np.savez(tmp_path / "data.npz", **dict(zip("xy", DATA[name], strict=True)))
        asked = {"space": AUTO, "objectives": (), **settings}
        given = Settings(data=str(tmp_path / "data.npz"), **asked)
        session = Session(given, tmp_path / "run", notify=notify)
        return session, dict(session.header.understood)

    return open_


@pytest.mark.parametrize(
    ("name", "metric", "why"),
    [
        ("equal", "accuracy", "the task is classification"),
        ("unequal", "balanced_accuracy", "classes are unequal, 6 to 32 examples"),
        ("labels", "average_precision_macro", "the task is multilabel"),
        ("amounts", "r2", "the task is regression"),
        ("masks", "mean_iou", "the task is segmentation"),
    ],
)
def test_the_first_objective_follows_from_the_targets(opened, name, metric, why):
    session, said = opened(name)
    assert session.header.settings.objectives == (metric, "parameters")
    assert said["objectives"] == f"{metric} (maximize), parameters (minimize); chosen: {why}"
    _, said = opened(name, objectives=("macs", "loss"))
    assert said["objectives"].startswith("macs (minimize), loss (minimize")
    assert "chosen" not in said["objectives"]


@pytest.mark.parametrize(
    ("name", "space", "why"),
    [
        ("equal", "tabular:max_width=128", "vectors, 38 of them for training"),
        ("sequences", "conv1d", "sequences"),
        ("masks", "unet:max_width=16", "one prediction for each pixel"),
        ("large", "mobile", "images of at least 96 pixels"),
    ],
)
def test_the_space_follows_from_the_inputs(opened, name, space, why):
    session, said = opened(name)
    assert session.header.settings.space == space
    assert said["space"].startswith(f"{space}, ")
    assert said["space"].endswith(f"; chosen: {why}")


def test_the_recipe_of_vectors_goes_with_the_optimiser(opened):
    recipe = opened("equal")[0].header.settings.recipe
    assert recipe["optimizer"] == "adamw"
    assert recipe["weight_decay"] == MOST_DECAY
    of_amounts = opened("amounts")[0].header.settings.recipe
    assert of_amounts["weight_decay"] > 0.5
    assert of_amounts["dropout"] > recipe["dropout"]
    by_sgd = opened("equal", recipe={"optimizer": "sgd"})[1]["training"]
    assert "optimizer sgd, learning rate 0.01, weight decay 0.0005" in by_sgd
    searched = opened("equal", tune=("momentum",))[0].header.settings  # of sgd alone
    assert searched.recipe["optimizer"] == "sgd"


def test_all_hyperparameters_are_those_with_an_effect(opened):
    of_images = {*NAMES}
    assert {*opened("large", tune=NAMES)[0].header.settings.tune} == of_images
    of_vectors = of_images - {"augmentation"}
    assert {*opened("equal", tune=NAMES)[0].header.settings.tune} == of_vectors
    of_amounts = of_vectors - {"label_smoothing"}
    assert {*opened("amounts", tune=NAMES)[0].header.settings.tune} == of_amounts


def test_a_search_of_rows_begins_with_the_linear_model(opened):
    linear = 'tabular:{"embedding":"none","hidden":"none","scaling":false}'
    for space in (AUTO, "tabular:max_width=32"):
        session, said = opened("equal", space=space)
        assert session.settings.warm_start == (linear,)
        assert said["first trial"] == "a linear model, to be beaten"
    small = linear.replace("false", "true")
    for name, own in (
        ("equal", {"warm_start": (small,)}),
        ("equal", {"space": f"fixed:{small}"}),
        ("equal", {"space": "mlp"}),
        ("sequences", {}),
    ):
        session, said = opened(name, **own)
        assert session.settings.warm_start == own.get("warm_start", ())
        assert "first trial" not in said
    notes = []
    _, said = opened("equal", notify=notes.append, max_parameters=16)
    assert said["first trial"] == "a linear model, to be beaten, if it is within the limits"
    assert not notes
    opened("equal", notify=notes.append, limits=("parameters>=100",))
    assert notes == [f"not within the limits, and left out: {linear}"]


def test_a_run_is_resumed_by_what_was_chosen_or_inferred(opened):
    session, _ = opened("unequal")
    write_header(session.path, session.header)
    chosen = session.settings
    for given in (
        {"space": chosen.space},
        {"objectives": chosen.objectives, "recipe": dict(chosen.recipe)},
        {"task": "classification", "layout": "ND", "flip": False},
    ):
        assert opened("unequal", **given)
    with pytest.raises(ValueError, match=r"other settings .*; task was 'auto', is 'multilabel'"):
        opened("unequal", task="multilabel")


def test_label_smoothing_is_not_said_of_a_regression(opened):
    assert "label smoothing 0.1" in opened("equal")[1]["training"]
    assert "label smoothing" not in opened("amounts")[1]["training"]


LOOKS = "; they look like {0} \\(--task {0}\\)"
REFUSED = {
    ("words", "regression"): r"want numbers .* got values such as a \[60\]" + LOOKS,
    ("words", "multilabel"): r"want numbers .* got values such as a \[60\]" + LOOKS,
    ("words", "segmentation"): r"segmentation wants images, got \[4\]" + LOOKS,
    ("amounts", "classification"): r"want classes, got numbers such as .*; --task regression takes",
    ("amounts", "multilabel"): "want labels 0 and 1 for multilabel, got .*" + LOOKS,
    ("numbers", "classification"): "classes amounts.* then --task regression",
    ("labels", "classification"): r"want one-hot rows, got row 0 with 2 ones; --task multilabel",
    ("masks", "classification"): r"want whole numbers or texts .* got int64 \[60, 8, 8\]" + LOOKS,
    ("masks", "regression"): r"want numbers .* got int64 \[60, 8, 8\]" + LOOKS,
}
NATURAL = {"words": "classification", "amounts": "regression", "masks": "segmentation"}


@pytest.mark.parametrize(("name", "task"), REFUSED)
def test_a_task_against_the_data_is_refused_in_one_line(opened, name, task):
    sentence = REFUSED[name, task].format(NATURAL.get(name))
    with pytest.raises(ValueError, match=f"^data: .*{sentence}") as error:
        opened(name, task=task)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        (
            "equal",
            {"task": "classifcation"},
            "task: want one of auto, classification, .* got 'clas",
        ),
        (
            "amounts",
            {"objectives": ("accuracy",)},
            "objectives: want some of r2, .* got 'accuracy'",
        ),
        ("unequal", {"objectives": ("r2",)}, "objectives: .* balanced_accuracy, .* got 'r2'"),
        ("amounts", {"recipe": {"class_weights": "balanced"}}, "class_weights: regression has no"),
        ("amounts", {"tune": ("label_smoothing",)}, "tune: label_smoothing has no effect: regress"),
        ("amounts", {"recipe": {"label_smoothing": 0.2}}, "label_smoothing: .* got 0.2$"),
    ],
)
def test_settings_against_the_task_are_refused_in_one_line(opened, name, settings, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}") as error:
        opened(name, **settings)
    assert "\n" not in str(error.value)
