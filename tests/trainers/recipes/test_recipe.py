import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from trainers import Recipe


def test_round_trips_through_json():
    recipe = Recipe(epochs=3, optimizer="adamw", augmentation=1, dropout=0.2)
    assert Recipe.from_dict(json.loads(json.dumps(asdict(recipe)))) == recipe


def test_learning_rate_is_the_optimisers_unless_given():
    assert Recipe(optimizer="sgd").learning_rate != Recipe(optimizer="adamw").learning_rate
    assert Recipe(learning_rate=1).learning_rate == 1.0
    assert isinstance(Recipe(learning_rate=1).learning_rate, float)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.0),
        ("epochs", True),
        ("batch_size", 1),
        ("optimizer", "lion"),
        ("learning_rate", -1),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", 10**400),
        ("learning_rate", "0.1"),
        ("momentum", 1.0),
        ("weight_decay", -1e-9),
        ("label_smoothing", 1),
        ("augmentation", 1.01),
        ("dropout", 1.0),
        ("averaging", 1),
        ("schedule", "linear"),
        ("flip", True),
        ("precision", "float16"),
        ("nesterov", 1),
        ("deterministic", "yes"),
        ("dropout", None),
        ("class_weights", "many"),
    ],
)
def test_refuses_in_one_line_that_names_the_field(field, value):
    with pytest.raises(ValueError, match=rf"^{field}: want .*, got .*$"):
        Recipe(**{field: value})


def test_says_what_was_wanted_and_got():
    with pytest.raises(ValueError, match=r"^learning_rate: want a number above 0, got -1$"):
        Recipe(learning_rate=-1)


def test_refuses_unknown_fields():
    with pytest.raises(ValueError, match=r"^recipe: want only epochs, .*deterministic, got 'lr'$"):
        Recipe.from_dict({"lr": 0.1})


def test_recipes_and_the_package_do_not_import_torch():
    program = "import sys, trainers; trainers.Recipe(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
