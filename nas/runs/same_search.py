"""The check that a run is resumed by the search that began it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nas.runs.header import LEARN_FROM, Header, read_header
from nas.runs.references import Reference, require_same
from nas.runs.settings import Settings
from nas.runs.space_files import changed
from search_spaces import SpaceReference
from search_spaces.user_files import PASSED, is_code


def as_begun(settings: Settings, folder: Path) -> Settings:
    """The settings with the `dead_parts` of the run in a folder, unless they are given.

    A run of an earlier version goes on as it began.
    """
    if settings.dead_parts is not None or not (folder / "run.json").exists():
        return settings
    return replace(settings, dead_parts=read_header(folder).settings.dead_parts)


def check_same_search(now: Header, before: Header, path: Path) -> None:
    """Refuse to resume another search. Files may have moved if their contents are the same.

    Args:
        now: The header of the search that is asked for.
        before: The header in the folder.
        path: The folder.

    Raises:
        ValueError: settings, code or data differ; says which.
    """
    mine, theirs = now.settings, before.settings
    here, there = SpaceReference.parse(mine.space), SpaceReference.parse(theirs.space)
    if there.kind == "passed":
        _require_same("space", theirs.space, mine.space, now, before, path)
        theirs = replace(theirs, space=mine.space)
    elif here.same_but_for_place(there):
        began = _reference("space", theirs.space, before)
        if not began.is_same(_reference("space", mine.space, now)):
            raise ValueError(changed(mine.space, path))
        theirs = replace(theirs, space=mine.space)
    for name in ("evaluator", "strategy", "schedule", "loss"):
        if is_code(given := getattr(theirs, name)):
            _require_same(name, given, getattr(mine, name), now, before, path)
            theirs = replace(theirs, **{name: getattr(mine, name)})
    for name in ("estimators", "metric"):
        texts, recorded = getattr(mine, name), getattr(theirs, name)
        if len(texts) == len(recorded):
            for number, (was, text) in enumerate(zip(recorded, texts, strict=True)):
                _require_same(f"{name}.{number}", was, text, now, before, path)
            theirs = replace(theirs, **{name: texts})
    if mine.device_profile and theirs.device_profile:  # the folder has the profile itself
        theirs = replace(theirs, device_profile=mine.device_profile)
    same_data = before.fingerprint == now.fingerprint
    if same_data:  # and read alike, whatever was given and whatever was inferred
        theirs = replace(theirs, data=mine.data, task=mine.task, layout=mine.layout, flip=mine.flip)
    elif theirs.data.startswith(f"{PASSED}:"):
        data = Reference(mine.data, now.fingerprint)
        passed = Reference(theirs.data, before.fingerprint)
        require_same(passed, data if data.by_value else None, "data", path)
    differences = theirs.differences(mine)
    if not differences and not same_data:
        differences = ["the data have changed"]
    if not differences and before.flips != now.flips:  # given, or by another version's default
        was, now_on = ("on" if before.flips else "off"), ("on" if now.flips else "off")
        differences = [f"flips of images were {was}, are {now_on}"]
    if not differences and before.hyperparameters_text != now.hyperparameters_text:
        differences = ["the hyperparameters that the evaluator declares have changed"]
    if not differences and before.code.get(LEARN_FROM) != now.code.get(LEARN_FROM):
        differences = ["the earlier searches that it learns from have changed"]
    if not differences and before.objectives.metrics != now.objectives.metrics:
        differences = ["the objectives have changed"]
    if differences:
        raise ValueError(
            f"{path} holds a search with other settings ({'; '.join(differences)}): "
            f"use the same, or another folder with --out"
        )


def _require_same(
    name: str, recorded: str, text: str, now: Header, before: Header, path: Path
) -> None:
    kind = "estimator" if name.startswith("estimators.") else name.partition(".")[0]
    given = _reference(name, text, now) if is_code(text) else None
    require_same(_reference(name, recorded, before), given, kind, path)


def _reference(name: str, text: str, header: Header) -> Reference:
    return Reference(text, header.code.get(name), header.code.get(f"{name}.definition"))
