"""The portfolio: members of the space, recipes that can be searched around, the linear model first."""

import pytest

import search_spaces
from nas.automl.portfolio import MOST_EMBEDDED, MOST_SIMILAR, WIDE_FROM, is_embedded, portfolio
from nas.core import hyperparameters
from search_spaces import Record, Task
from search_spaces.tabular.space import KERNELS, default_for
from trainers import Recipe
from trainers.recipes.for_data import recipe_for

DATA = [(30, 4), (WIDE_FROM - 1, MOST_EMBEDDED), (WIDE_FROM, MOST_EMBEDDED + 1)]


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize(("rows", "columns"), DATA)
def test_members_are_of_the_default_space_and_can_be_searched_around(task, rows, columns):
    members = portfolio(rows, columns, task, "vectors")
    space = search_spaces.load(default_for(rows))
    names = {frozenset(member["recipe"]) for member in members}
    assert len(names) == 1
    searched = hyperparameters.tree(tuple(members[0]["recipe"]), {"optimizer": "adamw"})
    for member in members:
        architecture = space.parse(member["architecture"])
        assert space.cost(architecture, Task((columns,), 3)).parameters < 1_000_000
        searched.check(Record(member["recipe"]))
        Recipe(**{**recipe_for(rows, "vectors", task=task), **member["recipe"]})
        assert not (columns > MOST_EMBEDDED and is_embedded(member))
    assert len({member["architecture"] for member in members}) == len(members)


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_the_first_member_is_the_linear_model(task):
    first = portfolio(100, 3, task, "vectors")[0]["architecture"]
    assert first == str(search_spaces.get("tabular").known["linear"])


def test_labels_are_smoothed_in_classifications_alone_and_not_where_little_is_learned():
    first, *others = portfolio(100, 3, "classification", "vectors")
    solved = [member for member in others if '"kernel"' in member["architecture"]]
    assert {member["recipe"]["label_smoothing"] for member in (first, *solved)} == {0}
    trained = [member for member in others if member not in solved]
    assert {member["recipe"]["label_smoothing"] for member in trained} == {0.1}
    for task in ("multilabel", "regression"):
        for member in portfolio(100, 3, task, "vectors"):
            assert "label_smoothing" not in member["recipe"]


def test_kernel_machines_have_room_for_the_rows_and_are_not_for_many():
    for rows, centers in ((30, 128), (129, 512), (2_048, 2_048), (MOST_SIMILAR, 2_048)):
        texts = [member["architecture"] for member in portfolio(rows, 3, "regression", "vectors")]
        assert sum(f'"centers":{centers},"kernel"' in text for text in texts) == len(KERNELS)
    many = portfolio(MOST_SIMILAR + 1, 3, "regression", "vectors")
    assert not any('"kernel"' in member["architecture"] for member in many)


def test_nothing_is_known_of_images():
    assert portfolio(1_000, 3, "classification", "images") == ()
