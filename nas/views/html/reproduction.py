"""Reproduction of a run: its command and its environment."""

from __future__ import annotations

import shlex
from typing import Any

from nas.runs.run import Run
from nas.runs.settings import Settings

_NAMES = {"max_parameters": "max-params"}  # options that are not called like their setting
_WITHOUT = (
    "recipe",
    "threads",
    "max_pending",
    "device",
)  # said otherwise, or the same on all machines


def command(run: Run) -> str:
    """The `nas search` that makes the same trials."""
    settings = run.settings
    usual = Settings(space=settings.space).to_dict()
    words = ["nas", "search", "--space", settings.space, "--data", settings.data]
    for name, value in settings.to_dict().items():
        if name in (*_WITHOUT, "space", "data", "seed") or value == usual[name]:
            continue
        words += _option(_NAMES.get(name, name), value)
    words += ["--trials", str(len(run.trials)), "--seed", str(settings.seed)]
    for name, value in settings.recipe.items():
        words += _option(name, value)
    return shlex.join([*words, "--out", run.path.name])


def circumstances(run: Run) -> list[tuple[str, str]]:
    """Name and value of everything else that decides the outcome."""
    header = run.header
    found = [
        ("data", f"{header.data['name']}, fingerprint {header.data['fingerprint']}"),
        ("examples", ", ".join(f"{k} {v:,}" for k, v in header.data["examples"].items())),
        ("torch threads", str(run.settings.threads)),
        ("proposals in flight", str(run.settings.max_pending)),
    ]
    if header.space_sha256 is not None:
        found.append(("SHA-256 of the space's file", header.space_sha256))
    made: dict[str, Any] = dict(header.made)
    versions = made.pop("versions", {})
    found += [(name, str(value)) for name, value in {**made, **versions}.items()]
    return found


def _option(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return [flag]
    if isinstance(value, list | tuple):
        return [flag, ",".join(map(str, value))]
    return [flag, str(value)]
