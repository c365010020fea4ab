"""Run folders of earlier versions, brought to the present schema while they are read.

Schema 1 had no schedules. Schema 2 used all results in trial order. Schema 3 had other names for
`max_pending`, `warm_start`, `hypervolume_reference`, `resume_from`, `start_epoch` and `flip`. Schema 4
knew one evaluator, the built-in training, and five metrics. Schema 5 knew one task,
classification. Schema 6 had no folds, schema 7 no earlier searches to learn from
and no profiles of devices. Up to schema 8, architectures with dead parts were always proposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.core import hyperparameters
from nas.core.metrics import METRICS
from nas.core.proposal import STAGE
from search_spaces.tree.plain import to_plain

SCHEMA = 9  # of the run.json that this version writes

_SETTINGS = {"window": "max_pending", "first": "warm_start"}  # names up to schema 3
_HEADER = {"largest": "hypervolume_reference"}
_TRIAL = {"continues": "resume_from", "done": "start_epoch"}
_RECIPE = {"mirror": "flip"}
_OPENED = {  # settings since schema 5
    "evaluator": "training",
    "loss": "cross_entropy",
    "estimators": [],
    "limits": [],
    "metric": [],
    "latency_batch": 1,
    "latency_backend": "torch",
}
_SINCE_6: dict[str, Any] = {  # settings since schema 6
    "task": "auto",
    "flip": None,
    "layout": None,
    "target": None,
    "sample_weight": None,
}
_SCORED = ("accuracy", "parameters", "macs")  # of every completed trial up to schema 4


def upgrade_header(fields: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """The fields of a `run.json` of an earlier schema, in the present one.

    Args:
        fields: The fields as they were read, whose values are still unchecked.
        schema: The schema that they are in.
    """
    found = _up_to_4(fields) if schema < 4 else dict(fields)
    found = _opened(found) if schema < 5 else found
    found = _with_targets(found) if schema < 6 else {"understood": [], **found}
    found = _with_setting(found, "folds", 0) if schema < 7 else found
    if schema < 8:
        found = _with_setting(_with_setting(found, "learn_from", []), "device_profile", None)
    return _with_setting(found, "dead_parts", True) if schema < 9 else found


def _opened(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of schema 4 in the present schema."""
    found, settings, data = dict(fields), fields.get("settings"), fields.get("data")
    if not isinstance(settings, Mapping) or not isinstance(data, Mapping):
        return found  # which is refused
    found["settings"] = {**_OPENED, **settings}
    found["task"] = {
        "input_shape": data.get("input_shape"),
        "classes": len(data.get("classes", ())),
    }
    names = dict.fromkeys((*_SCORED, *settings.get("objectives", ())))
    found["metrics"] = [METRICS[name].to_dict() for name in names if name in METRICS]
    tune, recipe = settings.get("tune", ()), settings.get("recipe", {})
    found["hyperparameters"] = to_plain(hyperparameters.tree(tune, recipe))
    digest = found.pop("space_sha256", None)
    found["code"] = {"space": digest} if digest else {}
    if (reference := found.pop("hypervolume_reference", None)) is not None:
        found["hypervolume_reference"] = {"parameters": reference}
    return found


def _with_targets(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of schema 5 in the present schema."""
    found, data, task = {"understood": [], **fields}, fields.get("data"), fields.get("task")
    if isinstance(data, Mapping):
        names = data.get("classes")
        targets: dict[str, Any] = {"task": "classification", "names": names, "mean": [], "std": []}
        found["data"] = {**_without(data, "classes"), "targets": targets}
    if isinstance(settings := fields.get("settings"), Mapping):
        found["settings"] = {**_SINCE_6, **settings}
        if settings.get("loss") == "cross_entropy":
            found["settings"]["loss"] = "default"
    if isinstance(task, Mapping):
        absent = {"small_images": None, "dense": False, "numeric": None}
        found["task"] = {**absent, **_without(task, "classes"), "outputs": task.get("classes")}
    return found


def _with_setting(fields: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The fields with a setting that the next schema added, and its value in those before."""
    settings = fields.get("settings")
    if not isinstance(settings, Mapping):
        return fields
    return {**fields, "settings": {name: value, **settings}}


def _without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def _up_to_4(fields: Mapping[str, Any]) -> dict[str, Any]:
    found = _renamed(fields, _HEADER)
    if isinstance(found.get("settings"), Mapping):
        settings = _renamed(found["settings"], _SETTINGS)
        absent = {"schedule": "none", "ordered": True, "warm_start": []}
        found["settings"] = {**absent, **settings}
        if isinstance(recipe := settings.get("recipe"), Mapping):  # null stood for the default
            given = {name: value for name, value in recipe.items() if value is not None}
            found["settings"]["recipe"] = upgrade_recipe(given)
    return found


def upgrade_trial(fields: Any) -> Any:
    """The fields of a trial of any schema, in the present one; they are still unchecked.

    Raises:
        ValueError: a field has both an old and a new name.
    """
    if not isinstance(fields, Mapping) or STAGE.keys() <= fields.keys():
        return fields
    found = {**STAGE, **_renamed(fields, _TRIAL)}
    return {**found, "recipe": upgrade_recipe(found.get("recipe"))}


def upgrade_recipe(fields: Any) -> Any:
    """The fields of a recipe of any schema, in the present one; they are still unchecked.

    Raises:
        ValueError: a field has both an old and a new name.
    """
    return _renamed(fields, _RECIPE) if isinstance(fields, Mapping) else fields


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found = {names.get(name, name): value for name, value in fields.items()}
    if len(found) < len(fields):
        twice = next(new for old, new in names.items() if {old, new} <= fields.keys())
        raise ValueError(f"want each field once, got {twice!r} by an old and a new name")
    return found
