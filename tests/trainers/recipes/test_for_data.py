"""The recipe that follows from the number of examples."""

import pytest

from trainers import Recipe
from trainers.recipes.for_data import MEMORY, MOST_DECAY, recipe_for


@pytest.mark.parametrize("rows", [0, 1, 30, 142, 1_999, 2_000, 20_000, 1_000_000])
def test_any_number_of_rows_has_a_recipe(rows):
    recipe = Recipe(**recipe_for(rows, "vectors", task="regression"))
    steps = max(1, rows / recipe.batch_size)
    assert 10 <= recipe.epochs <= 40
    assert recipe.epochs * steps <= 2_500 or recipe.epochs == 10
    reach = 1 / (recipe.learning_rate * recipe.weight_decay * steps)  # in epochs
    assert reach == pytest.approx(MEMORY, rel=0.05) or recipe.weight_decay == 1.0
    others = Recipe(**recipe_for(rows, "vectors"))
    assert others.weight_decay == min(recipe.weight_decay, MOST_DECAY)
    assert others.epochs == recipe.epochs
    assert others.dropout < recipe.dropout


def test_more_rows_mean_larger_batches_and_less_decay():
    found = [recipe_for(10**n, "vectors") for n in range(1, 8)]
    decays, batches = (
        [fields[name] for fields in found] for name in ("weight_decay", "batch_size")
    )
    assert decays == sorted(decays, reverse=True)
    assert batches == sorted(batches)


def test_images_have_the_usual_recipe_unless_they_are_few():
    assert recipe_for(640, "images") == recipe_for(1_000_000, "images") == {}
    assert recipe_for(639, "images") == {"epochs": 5, "batch_size": 32}
    assert recipe_for(150, "images") == {"epochs": 23, "batch_size": 32}
    assert recipe_for(2, "images", given={"batch_size": 2}) == {"epochs": 40}


@pytest.mark.parametrize("rows", [0, 1, 29, 216, 999, 5_000, 1_000_000])
def test_few_sequences_are_trained_for_as_many_steps_as_more_of_them(rows):
    recipe = Recipe(**recipe_for(rows, "sequences"))
    steps = recipe.epochs * max(1, rows // recipe.batch_size)
    assert 5 <= recipe.epochs <= 100
    assert steps >= 250 or recipe.epochs == 100
    assert recipe.epochs == 5 or steps < 250 + max(1, rows // recipe.batch_size)


def test_sequences_trained_by_sgd_have_its_usual_rate_and_decay():
    words = [{"given": {"optimizer": "sgd"}}, {"searched": ("optimizer",)}]
    for fields in (recipe_for(30, "sequences", **each) for each in words):
        assert fields == {"schedule": "cosine", "epochs": 100, "batch_size": 16}
    assert recipe_for(30, "sequences", searched=("momentum",))["optimizer"] == "sgd"


def test_what_is_given_or_searched_is_not_chosen():
    chosen = recipe_for(300, "vectors")
    assert chosen["optimizer"] == "adamw"
    given = {"epochs": 3, "dropout": 0.5}
    found = recipe_for(300, "vectors", given=given, searched=("schedule",))
    assert found.keys() == chosen.keys() - {"epochs", "dropout", "schedule"}
    assert found.items() <= chosen.items()


def test_the_strong_decay_is_for_adamw_alone():
    for words in ({"given": {"optimizer": "sgd"}}, {"searched": ("optimizer",)}):
        found = recipe_for(300, "vectors", **words)
        assert found.keys().isdisjoint({"optimizer", "weight_decay"})
        assert found["learning_rate"] == 0.01  # SGD diverges on many networks with more
    searched = recipe_for(300, "vectors", searched=("momentum",))
    assert searched["optimizer"] == "sgd"
    assert "weight_decay" not in searched
