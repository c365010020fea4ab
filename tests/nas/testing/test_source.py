"""Every source keeps the contract; each clause refuses one that breaks it, by its sentence."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

import nas
import trainers
from tests.trainers.data import generated
from trainers.data.dataset import Split
from trainers.data.targets import of_classes


@pytest.mark.parametrize("case", generated.cases(generated.KEPT), ids=generated.case_id)
def test_every_source_with_parts_of_its_own_passes(case, tmp_path):
    source, kind, task = case
    load = source.loader(tmp_path, generated.parts(kind, task))
    nas.testing.check_source(load)
    data = load(0)
    assert data.targets.task == task
    assert {"validation given", "test given"} <= set(data.notes)


@pytest.mark.parametrize("case", generated.cases(generated.CUT), ids=generated.case_id)
def test_every_source_that_is_cut_passes(case, tmp_path):
    source, kind, task = case
    load = source.loader(tmp_path, generated.joined(generated.parts(kind, task)))
    nas.testing.check_source(load)
    data = load(0)
    assert data.targets.task == task
    assert sum(map(len, (data.train, data.validation, data.test))) == 69


def test_sets_by_name_pass(tmp_path):
    nas.testing.check_source(lambda seed: trainers.load("digits", seed=seed))
    halves = {
        part: (generated.inputs("images", count, count)[..., 0], np.arange(count) % 10)
        for part, count in (("train", 60), ("test", 30))
    }
    nas.testing.check_source(generated.write_mnist(tmp_path, halves))


PAIR = (np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3)
DATA = trainers.from_objects(PAIR)
AMOUNTS = trainers.from_objects((PAIR[0], PAIR[0][:, 0] * 30 + 7))
numbers = itertools.count()


def with_split(part, data=DATA, **fields):
    """Load data with another split."""
    changed = {
        name: function(getattr(getattr(data, part), name)) for name, function in fields.items()
    }
    return lambda _: replace(data, **{part: replace(getattr(data, part), **changed)})


def with_(data=DATA, **fields):
    return lambda _: replace(data, **fields)


def by_seed(change):
    """Load the data as it should, then change them by a function of (data, seed)."""
    return lambda seed: change(trainers.from_objects(PAIR, seed=seed), seed)


def shared(data, _):
    test = data.test.inputs.clone()
    test[0] = data.train.inputs[0]
    targets = data.test.targets.clone()
    targets[0] = data.train.targets[0]
    return replace(data, test=Split(test, targets))


def other_test(data, seed):
    """Train and test change places with another seed."""
    return replace(data, test=data.test.part(slice(seed, None)))


def fewer(data, seed):
    train = data.train.part(slice(0, len(data.train) - seed))
    mean = train.inputs.mean(dim=0), train.inputs.std(dim=0, correction=0)
    return replace(data, train=train, mean=mean[0], std=mean[1])


def global_seed(data, _):
    torch.manual_seed(3)
    return data


def global_draw(data, _):
    """Draws from numpy's generator, which it leaves as it was."""
    state = np.random.get_state()  # noqa: NPY002
    note = f"luck {np.random.random()}"  # noqa: NPY002
    np.random.set_state(state)  # noqa: NPY002
    return replace(data, notes=(*data.notes, note))


EMPTY = DATA.validation.part(slice(0))
BROKEN = {
    "nothing": (lambda _: None, "gives None: want a trainers.Dataset"),
    "raising": (lambda _: 1 / 0, "fails to load the data: ZeroDivisionError"),
    "names twice": (with_(targets=of_classes(("a", "b", "b"))), "names its outputs .* different"),
    "one class": (with_(targets=of_classes(("a",))), "has 1 class: want at least 2"),
    "empty": (with_(validation=EMPTY), "has no examples in validation"),
    "short": (with_split("test", inputs=lambda x: x[1:]), r"has inputs \[11, 4\] for 12 targets"),
    "wide": (
        with_split("test", inputs=lambda x: x[:, 1:]),
        r"has inputs \[12, 3\] .* want \[12, 4",
    ),
    "double": (with_split("test", inputs=torch.Tensor.double), "of torch.float64 in test: want"),
    "infinite": (with_split("test", inputs=lambda x: x / 0), "inputs in test that are not finite"),
    "column": (with_split("test", targets=lambda y: y[:, None]), r"\[12, 1\] in test: want torch"),
    "int32": (with_split("train", targets=torch.Tensor.int), "has targets torch.int32 .*: want"),
    "class": (with_split("test", targets=lambda y: y + 1), "targets in test that .* such as .3."),
    "amount": (
        with_split("test", AMOUNTS, targets=lambda y: y * torch.inf),
        "that regression does not allow, such as .-?inf",
    ),
    "unseen": (
        with_(targets=of_classes((*DATA.classes, "more"))),
        "has no training example of more",
    ),
    "some weights": (
        with_split("test", weights=lambda _: torch.ones(len(DATA.test))),
        "has weights in test and none in train",
    ),
    "mean": (with_(mean=DATA.mean + 0.1), "has mean .* of inputs: want .* of the training split"),
    "std": (with_(std=DATA.std.double()), "has std .* of inputs"),
    "target mean": (
        with_(AMOUNTS, targets=replace(AMOUNTS.targets, mean=(0.0,))),
        "has mean 0 of targets: want ",
    ),
    "long note": (with_(notes=("test given\n", *DATA.notes)), "notes .*: want a text of one line"),
    "no note": (with_(notes=("read",)), "has no note on validation"),
    "shared": (by_seed(shared), "has 1 examples of train in test, too"),
    "drifting": (
        lambda _: replace(DATA, notes=(*DATA.notes, str(next(numbers)))),
        "gives other data a second time with seed 0",
    ),
    "global": (by_seed(global_seed), "the generator of torch has changed"),
    "global draw": (by_seed(global_draw), "gives other data a second time with seed 0"),
    "test": (by_seed(other_test), "has another test split with another seed"),
    "train": (by_seed(fewer), "has other examples in training and validation together"),
    "seedless": (lambda _: DATA, "has the same fingerprint with another seed"),
}


def test_arrays_of_a_program_pass():
    nas.testing.check_source(by_seed(lambda data, _: data))
    weighted = {
        part: replace(getattr(DATA, part), weights=torch.ones(len(getattr(DATA, part))))
        for part in ("train", "validation", "test")
    }
    notes = ("validation given", "test given")
    nas.testing.check_source(with_(notes=notes, **weighted))
    weighted["test"] = replace(weighted["test"], weights=-weighted["test"].weights)
    with pytest.raises(AssertionError, match=r"has weights torch.float32 \[12\] in test: want"):
        nas.testing.check_source(with_(notes=notes, **weighted))


@pytest.mark.parametrize("name", BROKEN)
def test_each_clause_refuses_what_breaks_it(name):
    load, sentence = BROKEN[name]
    with pytest.raises(AssertionError, match=f"^the source .*({sentence})") as error:
        nas.testing.check_source(load)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize("task", generated.TASKS)
def test_the_fingerprint_sees_every_change_of_a_split(task, part):
    kind = "images" if task == "segmentation" else "vectors"
    data = trainers.from_objects(generated.joined(generated.parts(kind, task)))
    split = getattr(data, part)
    other = [split.part(slice(1, None)), replace(split, weights=torch.ones(len(split)))]
    for field in ("inputs", "targets"):
        changed = getattr(split, field).clone()
        changed.view(-1)[-1] = 1 - changed.view(-1)[-1]
        other.append(replace(split, **{field: changed}))
    prints = {replace(data, **{part: each}).fingerprint for each in (split, *other)}
    assert len(prints) == 1 + len(other)
