"""Run folders of earlier versions, brought to the present schema while they are read.

Schema 1 had no schedules. Schema 2 used all results in trial order. Schema 3 had other names for
`max_pending`, `warm_start`, `hypervolume_reference`, `resume_from`, `start_epoch` and `flip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.core.proposal import STAGE

SCHEMA = 4  # of the run.json that this version writes

_SETTINGS = {"window": "max_pending", "first": "warm_start"}  # names up to schema 3
_HEADER = {"largest": "hypervolume_reference"}
_TRIAL = {"continues": "resume_from", "done": "start_epoch"}
_RECIPE = {"mirror": "flip"}


def upgrade_header(fields: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """The fields of a `run.json` of an earlier schema, in the present one.

    Args:
        fields: The fields as they were read, whose values are still unchecked.
        schema: The schema that they are in.
    """
    if schema == SCHEMA:
        return dict(fields)
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
