"""Retraining: a network from scratch, on training and validation data together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import search_spaces
import trainers
from nas.bundles.bundle import Bundle
from nas.bundles.preprocessing import preprocessing
from nas.bundles.read import check_target
from nas.bundles.write import write_bundle
from nas.core import schema
from nas.core.schema import visible
from nas.estimators.energy.spell import Spell, gpus_of
from nas.evaluators import training
from nas.evaluators.factories import reading_of
from nas.evaluators.training_task import load_function
from nas.runs.settings import CHECKS, TRAINING, is_own
from nas.winners.best_of_seeds import BestOfSeeds
from nas.winners.scoring import metrics_by_importance, scores_on_test
from search_spaces import SearchSpace
from search_spaces.ensemble.network import Ensemble
from search_spaces.user_files import PASSED, is_code
from trainers import Epoch, Recipe, Targets, Task
from trainers.data.tables.preprocessing import TablePreprocessing
from trainers.loop.early_stop import EarlyStop
from trainers.loop.phases import Phase, scaled, train_in_phases
from trainers.tasks.functions import LossFunction
from trainers.tasks.registry import make_task

Progress = Callable[[Epoch], None]

_SETTINGS = ("data", "data_seed", "image_size", "threads")  # those that training uses
_OF_READING = ("task", "flip", "layout", "target", "sample_weight")
_OPTIONAL = ("evaluator", "objectives", *_OF_READING)  # absent in bundles of earlier versions


def _settings(value: object, path: str) -> None:
    schema.record({name: CHECKS[name] for name in _SETTINGS}, others=True)(value, path)
    schema.mapping(schema.anything, **{name: CHECKS[name] for name in _OPTIONAL})(value, path)


_METRICS = schema.record(
    {
        "recipe": schema.mapping(schema.anything),
        "settings": _settings,
    },
    others=True,
)
_OPTIONAL_METRICS = schema.mapping(
    schema.anything,
    phases=schema.items(
        schema.record(
            {"end_epoch": schema.whole(1), "recipe": schema.mapping(schema.anything)}, others=True
        )
    ),
)
_OF_TRAINING = ("validation", "test", "recipe", "phases", "energy", "fine_tuned_from")


def retrain(
    bundle: Bundle,
    to: Path,
    *,
    epochs: int,
    space_file: str | None = None,
    loss: str | LossFunction | None = None,
    seed: int = 0,
    seeds: int = 1,
    recipe: Mapping[str, Any] | None = None,
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Bundle:
    """Train a network from scratch on training and validation data together, and write its bundle.

    The recipe is that of the bundle, except for the epochs. Where settings changed during training
    (`pbt`), they change after the same share of the epochs, though the weights of all epochs are its own. Each network of an ensemble is trained by
    itself, by the recipe of its trial; their weights in the mean and the temperature stay. The test split is used once, at the
    end. The weights of the bundle are not used.

    With several seeds, each trains on the training split alone, which stops by the recipe's patience, and the network with the best score
    on the validation split is kept; `metrics["seeds"]` has all scores, which show the noise of a seed.

    Args:
        bundle: The bundle of a trial, or one read from a folder.
        to: The folder of the new bundle.
        epochs: Passes over the data.
        space_file: `FILE:VARIABLE`, if the search space is in a file of your own.
        loss: The loss that the network learned from, if it is one of your own: the function, or
            `FILE:FUNCTION`.
        seed: Seed of weights, order and augmentation; the first of several.
        seeds: Number of trainings, with consecutive seeds.
        recipe: Fields of the recipe to change.
        device: "auto", "cpu", "cuda" or "cuda:N".
        force: Replace the bundle in that folder, if there is one.
        progress: Called after every epoch.

    Raises:
        ValueError: an evaluator of the user's own trained the network; the data are missing or have
            changed, or have no validation split for several seeds; its loss is not given; a field of
            the recipe is not known; or `to` is refused.
        Diverged: the loss was no longer a finite number.
        nas.bundles.verify.VerificationError: a format gives other outputs than the network.
    """
    check_target(to, force=force)
    origin = origin_of(bundle)  # which refuses a bundle without a recipe
    bundle = _with_recipe(bundle, recipe or {})
    _refuse_own(bundle, origin["settings"])
    settings = origin["settings"]
    space = bundle.space(space_file)
    bundle = _as_searched(bundle, space)
    origin = origin_of(bundle)
    reading = {
        **reading_of(settings),
        "flippable": origin["data"]["flip"],
        "table": table_of(bundle),
    }
    data = training.load_data(settings["data"], device=device, **reading)
    if data.fingerprint != origin["data"]["fingerprint"]:
        raise ValueError(f"{settings['data']}: the data have changed since the search")
    judged = metrics_by_importance(data.targets.task, settings.get("objectives", ()))
    learned = loss_of(bundle, loss, data.targets, tuple(metric.name for metric in judged))
    if seeds > 1 and not len(data.validation):
        raise ValueError(
            f"seeds: want a validation split to choose by, {settings['data']} has none"
        )
    used = data if seeds > 1 else data.with_validation_in_train()
    task = replace(training.task_of(data), small_images=bundle.task.small_images)
    spent = Spell(gpus_of(str(used.device)))
    with spent, training.threads(settings["threads"]):
        judge = BestOfSeeds(data, settings.get("objectives", ()))
        for own in range(seed, seed + seeds):
            net = training.build(space, space.check(bundle.architecture), task, own)
            for part, phases, part_seed in _trainings(bundle, net, own):
                part.to(used.device)
                planned = scaled(phases, epochs)
                stop = EarlyStop(planned[-1].recipe.patience, training.score_by(judged[0]))
                passes = train_in_phases(
                    part,
                    used,
                    planned,
                    seed=part_seed,
                    task=learned,
                    stop=stop if planned[-1].recipe.patience else None,
                )
                for epoch in passes:
                    if progress is not None:
                        progress(epoch)
            judge.take(own, net.to(used.device), measured=seeds > 1)
        net = judge.best
        test = scores_on_test(net, used, settings.get("objectives", ()))
    metrics = {
        **origin,
        "data": {
            **origin["data"],
            "mean": used.mean.tolist(),
            "std": used.std.tolist(),
        },
        "validation": {**judge.scores[judge.seed], "epochs": epochs} if seeds > 1 else None,
        "test": test,
        **_recipes(bundle, epochs),
        "retraining_seed": judge.seed,
        **judge.facts(),
        "energy": {**spent.to_dict(), "grams_per_kwh": _grams(bundle)},
    }
    retrained = with_training(bundle, net, space, task, data.targets, metrics)
    return write_bundle(retrained, to, force=force)


def _as_searched(bundle: Bundle, space: SearchSpace) -> Bundle:
    """The bundle of the whole architecture, dead parts included, whose weights are new."""
    if not bundle.dead_parts:
        return bundle
    described = {name: v for name, v in bundle.described.items() if name != "dead_parts"}
    known = {name: v for name, v in bundle.metrics.items() if name != "searched_parameters"}
    metrics = {**known, **asdict(space.cost(bundle.architecture, bundle.task))}
    return replace(bundle, described=described, metrics=metrics)


def _with_recipe(bundle: Bundle, changes: Mapping[str, Any]) -> Bundle:
    """The bundle with other fields in the recipes of its networks.

    Raises:
        ValueError: a field is not known, or its value is not allowed.
    """
    if not changes:
        return bundle
    metrics = dict(bundle.metrics)
    if "epochs" in changes:
        raise ValueError("recipe: want epochs by the option of that name")
    Recipe.from_dict({**metrics["recipe"], **changes})
    metrics["recipe"] = {**metrics["recipe"], **changes}
    if "phases" in metrics:
        metrics["phases"] = [
            {**phase, "recipe": {**phase["recipe"], **changes}} for phase in metrics["phases"]
        ]
    if "ensemble" in metrics:
        members = [
            {**member, "recipe": {**member["recipe"], **changes}}
            for member in metrics["ensemble"]["members"]
        ]
        metrics["ensemble"] = {**metrics["ensemble"], "members": members}
    return replace(bundle, metrics=metrics)


def _trainings(
    bundle: Bundle, net: nn.Module, seed: int
) -> Iterator[tuple[nn.Module, list[Phase], int]]:
    """The networks to train, their recipes and seeds: each of those of an ensemble, or the only one."""
    facts = bundle.metrics.get("ensemble")
    if facts is None:
        yield net, _phases(bundle), seed
        return
    recipes = [member["recipe"] for member in facts["members"] for _ in range(member["networks"])]
    if not isinstance(net, Ensemble) or len(recipes) != len(net.members):
        raise ValueError(
            f"{bundle.path / 'metrics.json'}: ensemble: want a recipe for each network"
        )
    net.temperature.fill_(facts["temperature"])
    each = [member["temperature"] for member in facts["members"] for _ in range(member["networks"])]
    net.temperatures.copy_(torch.tensor(each))
    for number, (member, recipe) in enumerate(zip(net.members, recipes, strict=True)):
        own = Recipe.from_dict(recipe)
        yield member, [Phase(own.epochs, own)], trainers.derive_seed(seed, "member", number)


def _phases(bundle: Bundle) -> list[Phase]:
    """The recipes of the only network, one after the other.

    Raises:
        ValueError: they are not recipes, or not in order.
    """
    if "phases" not in bundle.metrics:
        recipe = Recipe.from_dict(bundle.metrics["recipe"])
        return [Phase(recipe.epochs, recipe)]
    found = [
        Phase(phase["end_epoch"], Recipe.from_dict(phase["recipe"]))
        for phase in bundle.metrics["phases"]
    ]
    ends = [phase.end_epoch for phase in found]
    if not ends or ends != sorted(set(ends)) or ends[-1] > found[-1].recipe.epochs:
        raise ValueError(
            f"{bundle.path / 'metrics.json'}: phases: want rising end_epochs up to the epochs of "
            f"the recipe, got {ends}"
        )
    return found


def _grams(bundle: Bundle) -> float | None:
    """Grams of CO2 by kWh, as the user gave them for the search."""
    found = bundle.metrics.get("energy", {}).get("grams_per_kwh")
    return None if found is None else float(found)


def _recipes(bundle: Bundle, epochs: int) -> dict[str, Any]:
    """The recipes of the networks, for `metrics.json`."""
    facts = bundle.metrics.get("ensemble")
    if facts is None:
        recipe = Recipe.from_dict(bundle.metrics["recipe"])
        found: dict[str, Any] = {"recipe": asdict(replace(recipe, epochs=epochs))}
        if "phases" in bundle.metrics:
            found["phases"] = [
                {"end_epoch": phase.end_epoch, "recipe": asdict(phase.recipe)}
                for phase in scaled(_phases(bundle), epochs)
            ]
        return found
    members = [
        {**member, "recipe": {**member["recipe"], "epochs": epochs}} for member in facts["members"]
    ]
    for member in members:
        member.pop("scores", None)  # of the search
    known = {name: value for name, value in facts.items() if name != "selection"}
    return {
        "recipe": {**bundle.metrics["recipe"], "epochs": epochs},
        "ensemble": {**known, "members": members},
    }


def with_training(
    bundle: Bundle,
    net: nn.Module,
    space: SearchSpace,
    task: search_spaces.Task,
    targets: Targets,
    metrics: Mapping[str, Any],
) -> Bundle:
    """The bundle of a network that was trained again, before it is written.

    Args:
        bundle: The bundle that the network was made from.
        net: The network, trained.
        space: Its search space.
        task: Its task.
        targets: The targets that it learned from.
        metrics: The contents of `metrics.json`, with the facts on its data.
    """
    architecture, weights = space.check(bundle.architecture), training.weights_bytes(net)
    return replace(
        bundle,
        architecture=architecture,
        task=task,
        described={
            **bundle.described,
            "notation": space.format(architecture),  # absent in bundles of earlier versions
            "targets": targets.to_dict(),
            "preprocessing": preprocessing(metrics["data"]),
        },
        metrics=metrics,
        read_weights=lambda: weights,
        known_space=space,
    )


def origin_of(bundle: Bundle) -> Mapping[str, Any]:
    """The part of `metrics.json` that training does not change.

    Raises:
        ValueError: it does not say how the network was trained.
    """
    where = f"{bundle.path / 'metrics.json'}: metrics"
    _METRICS(bundle.metrics, where)
    _OPTIONAL_METRICS(bundle.metrics, where)
    return {name: value for name, value in bundle.metrics.items() if name not in _OF_TRAINING}


def table_of(bundle: Bundle) -> TablePreprocessing | None:
    """The preprocessing of the rows of a table; None for other inputs."""
    plain = bundle.described["preprocessing"]
    return TablePreprocessing.from_dict(plain["table"]) if plain["kind"] == "table" else None


def _refuse_own(bundle: Bundle, settings: Mapping[str, Any]) -> None:
    """Refuse a network that cannot be trained here as it was in its search."""
    name = settings.get("evaluator", TRAINING)
    if is_own(name):
        raise ValueError(
            f"{bundle.path}: an evaluator of your own, {name}, trained its networks, and only it can "
            f"train one again; nas retrain BUNDLE --data DATA fine-tunes an exported one"
        )
    if settings["data"].startswith(f"{PASSED}:"):
        raise ValueError(
            f"{bundle.path}: a program passed its data: save them to an .npz file, and fine-tune an "
            f"exported network: nas retrain BUNDLE --data FILE"
        )


def loss_of(
    bundle: Bundle,
    loss: str | LossFunction | None,
    targets: Targets,
    metrics: tuple[str, ...] | None = None,
) -> Task:
    """The task of a network that is trained again, with the loss that it learned from.

    A bundle only names a loss of the user's own, and code that it names is never run.

    Raises:
        ValueError: it learned from a loss of the user's own, and none is given; or that cannot be
            loaded.
    """
    recorded = str(bundle.metrics["settings"].get("loss", ""))
    if loss is not None:
        text = loss if isinstance(loss, str) else recorded
        return make_task(targets, metrics=metrics, loss=load_function("loss", text, loss))
    if is_code(recorded):
        raise ValueError(
            f"{bundle.path}: its network learned from a loss of the user's own, {visible(recorded)}: "
            f"give it again with --loss FILE:FUNCTION (in Python: loss=...)"
        )
    return make_task(targets, metrics=metrics)
