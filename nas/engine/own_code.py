"""The user's code and objects in a search: their kinds, their paths and their digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.estimators import Estimator
from nas.evaluators import factories
from nas.runs.references import describe, named
from nas.runs.settings import AUTO, Settings
from nas.runs.space_files import digest
from search_spaces import SearchSpace, SpaceReference
from search_spaces.user_files import is_code, load_file_object, split

SENT = ("space", "evaluator", "loss", "metric")  # to other processes, by value
# That a program may pass.
OBJECTS = (*SENT, "data", "estimators", "strategy", "schedule", "executor")
LISTS = ("estimators", "metric")  # of them, those with any number of objects


def check_kinds(objects: Mapping[str, Any]) -> None:
    """Refuse objects that cannot be what they stand for.

    Args:
        objects: Objects of the program, by the setting that they stand for.

    Raises:
        ValueError: one is of a wrong kind; names the setting.
    """
    space = objects.get("space")
    if space is not None and not isinstance(space, SearchSpace):
        raise ValueError(f"space: want a name or a SearchSpace, got {type(space).__name__}")
    for name in ("strategy", "schedule", "loss"):
        if (given := objects.get(name)) is not None and not callable(given):
            wanted = "a function" if name == "loss" else "a class or a function that makes one"
            raise ValueError(f"{name}: want a name or {wanted}, got {type(given).__name__}")
    executor = objects.get("executor")
    if executor is not None and not isinstance(executor, type):
        raise ValueError(f"executor: want a name or a class, got {type(executor).__name__}")


def with_absolute_paths(settings: Settings) -> Settings:
    """The settings with absolute paths."""

    def absolute(text: str) -> str:
        if not is_code(text):
            return text
        place, name = split(text, "object")
        return f"{Path(place).absolute()}:{name}" if place.endswith(".py") else text

    profile = settings.device_profile
    return replace(
        settings,
        space=str(SpaceReference.parse(settings.space).absolute()),
        data=_data(settings.data),
        evaluator=absolute(settings.evaluator),
        estimators=tuple(map(absolute, settings.estimators)),
        learn_from=tuple(
            one if one == AUTO else str(Path(one).absolute()) for one in settings.learn_from
        ),
        device_profile=None if profile is None else str(Path(profile).absolute()),
        loss=absolute(settings.loss),
        metric=tuple(map(absolute, settings.metric)),
        strategy=absolute(settings.strategy),
        schedule=absolute(settings.schedule),
    )


def _data(text: str) -> str:
    """An absolute path for that of a file or folder; a data set's name stays, whatever is called so."""
    path = Path(text)
    is_path = path.exists() and not factories.is_data_set(text)
    return str(path.absolute()) if is_path else text


def digests_of(settings: Settings, objects: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the code of a user's own, by setting; of a list, by `setting.number`.

    Raises:
        ValueError: a file cannot be read.
    """
    found: dict[str, str] = {}

    def add(name: str, text: str, given: object) -> None:
        kind = name.partition(".")[0]
        if given is None and not is_code(text):
            return
        reference = named(text, kind) if given is None else describe(given, kind)
        if reference.sha256 is not None:
            found[name] = reference.sha256
        if reference.definition is not None:
            found[f"{name}.definition"] = reference.definition

    space, given_space = SpaceReference.parse(settings.space), objects.get("space")
    if given_space is None and space.file is not None:
        found["space"] = digest(space.file)
    elif given_space is not None or space.module:
        add("space", f"{space.module}:{space.variable}", given_space)
    for name in ("evaluator", "strategy", "schedule", "loss"):
        add(name, getattr(settings, name), objects.get(name))
    for name in LISTS:
        texts = getattr(settings, name)
        given = objects.get(name) or [None] * len(texts)
        for number, (text, one) in enumerate(zip(texts, given, strict=True)):
            add(f"{name}.{number}", text, None if isinstance(one, str) else one)
    return found


def load_estimators(
    settings: Settings, objects: Mapping[str, Any], digests: Mapping[str, str]
) -> Iterable[Estimator]:
    """The user's estimators.

    Raises:
        ValueError: one cannot be loaded, or is none; names it.
    """
    given = objects.get("estimators") or settings.estimators
    for number, (text, one) in enumerate(zip(settings.estimators, given, strict=True)):
        found: Any = one
        if isinstance(one, str):
            found = load_file_object(text, "estimator", digests.get(f"estimators.{number}"))
        if isinstance(found, type):
            found = found()
        if not isinstance(found, Estimator):
            raise ValueError(
                f"estimator {text}: want an object with metrics and estimate, got "
                f"{type(found).__name__}"
            )
        yield found
