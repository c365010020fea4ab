"""Bundles of ensembles: of several trials, and of the folds of one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import nas
import trainers
from nas.bundles import card_ensemble
from nas.bundles.card import card
from nas.evaluators.cross_validation import fold_weights
from nas.winners.export import data_of
from nas.winners.from_trial import bundle_of
from nas.winners.from_trials import bundle_of_ensemble
from nas.winners.retrain import _recipes, _trainings
from trainers.checkpoints import weights as checkpoint
from trainers.tasks.registry import make_task

ROWS = 90
SPACE = "tabular:max_width=16,max_depth=1"


def data(task):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 4)).astype(np.float32)
    score = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=ROWS) * 0.5
    if task == "regression":
        return x, 100 + 20 * np.stack([score, x[:, 3]], axis=1)
    if task == "multilabel":
        return x, np.stack([score > 0, x[:, 3] > 0.5, x[:, 0] > 0], axis=1).astype(int)
    return x, np.digitize(score, [-0.7, 0.7])


@pytest.fixture(scope="module", params=["classification", "multilabel", "regression"])
def run(request, tmp_path_factory):
    return search(tmp_path_factory, request.param)


def search(tmp_path_factory, task, **more):
    out = tmp_path_factory.mktemp("run") / "run"
    known = {"space": SPACE, "trials": 5, "epochs": 3, "keep": 5, "dropout": 0.0}
    return nas.search(data=data(task), task=task, out=out, **known, **more)


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    return search(tmp_path_factory, "classification", folds=3)


def test_the_scores_are_those_of_the_network_on_the_validation_split(run):
    known = data_of(run, run.data)
    bundle = bundle_of_ensemble(run, known, most=3)
    net, task = bundle.net(), make_task(known.targets)
    found = trainers.evaluate(net, known.validation, known, task=task)
    assert bundle.metrics["validation"] == pytest.approx(found, rel=1e-4)
    singles = [trial.scores["loss"] for trial in run.trials]
    facts = bundle.metrics["ensemble"]
    if facts["mean"] == "outputs":
        assert found["loss"] <= min(singles)
    assert facts["selection"]["candidates"] == 5
    assert facts["selection"]["examples"] == len(known.validation)
    assert len(facts["members"]) == len(net.members) <= 3
    assert net.temperature.item() == pytest.approx(facts["temperature"])
    assert net.temperatures.tolist() == pytest.approx([m["temperature"] for m in facts["members"]])
    assert bundle.described["space"] == f"ensemble:{SPACE}"
    assert not hasattr(net, "features")
    cost = bundle.space().cost(bundle.architecture, bundle.task)
    assert (bundle.metrics["parameters"], bundle.metrics["macs"]) == (cost.parameters, cost.macs)


def test_limits_are_those_of_the_whole(run):
    known = data_of(run, run.data)
    sizes = sorted(trial.scores["parameters"] for trial in run.trials)
    most = int(sizes[0] + sizes[1])
    bundle = bundle_of_ensemble(run, known, limits=[f"parameters<={most}"])
    assert bundle.metrics["parameters"] <= most
    for limit, message in {
        "parameters<=1": "want a member within the limits, got none of 5",
        "parameters>=1": "want upper bounds on its costs, got parameters>=1",
        "size<=1": "want a limit on one of ",
    }.items():
        with pytest.raises(ValueError, match=message):
            bundle_of_ensemble(run, known, limits=[limit])
    with pytest.raises(ValueError, match="want at least 1 trial, got 0"):
        bundle_of_ensemble(run, known, most=0)
    with pytest.raises(ValueError, match="the weights of no trial were kept"):
        bundle_of_ensemble(run, known, trials=[])


def test_a_trial_with_folds_is_the_ensemble_of_its_networks(folded):
    trial = folded.trials[1]
    bundle = bundle_of(folded, trial)
    net = bundle.net()
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    loaded = checkpoint.load(folded.weights_path(trial), trial.weights_sha256)
    shares = []
    for fold in range(3):
        one = folded.space.compile(trial.architecture, folded.task).eval()
        one.load_state_dict(fold_weights(loaded, fold))
        shares.append(one(x).softmax(dim=1))
    torch.testing.assert_close(net(x).softmax(dim=1), torch.stack(shares).mean(dim=0))
    assert bundle.metrics["trial"] == 1
    assert bundle.metrics["validation"]["accuracy"] == trial.scores["accuracy"]
    assert bundle.metrics["parameters"] == 3 * trial.scores["parameters"]


def test_an_ensemble_of_trials_with_folds_has_all_their_networks_and_its_card_says_so(folded):
    known = data_of(folded, folded.data)
    bundle = bundle_of_ensemble(folded, known, most=2)
    members = bundle.metrics["ensemble"]["members"]
    assert len(bundle.net().members) == 3 * len(members)
    assert bundle.metrics["ensemble"]["selection"]["examples"] == len(known.train) + len(
        known.validation
    )
    card_ensemble.check(bundle.metrics["ensemble"], "ensemble")
    more = {"latency": {"seconds": 1, "runs": 1, "threads": 1, "machine": {"machine": "x"}}}
    more |= {"peak_activation_bytes": 1, "weights_bytes": 1, "not_written": {}}
    metrics = {**bundle.metrics, **more}
    text = card(bundle, metrics, [], ["model.py"])
    assert text.startswith("# Ensemble of tabular for ")
    assert f"an ensemble of {3 * len(members)} networks of {len(members)} trial" in text
    assert "3 of each: one for each fold of the data" in text
    assert "each made by the networks that had not learned from the example" in text
    assert "selected among 5 by the log loss" in text
    for member in members:
        assert f"| {member['trial']} | " in text
    facts = {**metrics["ensemble"], "trained_on_everything": [members[0]["trial"]]}
    card_ensemble.check(facts, "ensemble")
    told = card(bundle, {**metrics, "ensemble": facts}, [], ["model.py"])
    assert f"The networks of 1 trial ({members[0]['trial']}) were then trained again" in told
    again = card(bundle, {**metrics, "retraining_seed": 0}, [], ["model.py"])
    assert "selected among" not in again


def test_each_network_of_an_ensemble_is_trained_again_by_the_recipe_of_its_trial(folded):
    bundle = bundle_of_ensemble(folded, data_of(folded, folded.data), most=2)
    facts = bundle.metrics["ensemble"]
    recipes = [{**m["recipe"], "batch_size": 8 + n} for n, m in enumerate(facts["members"])]
    changed = [{**m, "recipe": recipe} for m, recipe in zip(facts["members"], recipes, strict=True)]
    bundle = replace(
        bundle,
        metrics={**bundle.metrics, "ensemble": {**facts, "members": changed, "temperature": 2.5}},
    )
    net = bundle.space().compile(bundle.architecture, bundle.task)
    found = list(_trainings(bundle, net, 0))
    assert [part for part, _, _ in found] == list(net.members)
    sizes = [phase.recipe.batch_size for _, (phase,), _ in found]
    assert sizes == [8 + n for n in range(len(changed)) for _ in range(3)]
    assert len({seed for _, _, seed in found}) == len(found)
    assert net.temperature == 2.5
    kept = _recipes(bundle, 7)
    assert kept["recipe"]["epochs"] == 7
    assert "selection" not in kept["ensemble"]
    card_ensemble.check(kept["ensemble"], "ensemble")
    with pytest.raises(ValueError, match="want a recipe for each network"):
        list(_trainings(bundle, net.members[0], 0))
