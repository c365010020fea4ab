"""Warm starts: architectures of earlier searches that a new one evaluates first."""

from __future__ import annotations

from pathlib import Path

from nas.bundles.read import open_bundle
from nas.runs.run import Run


def architectures_of(path: Path) -> tuple[str, ...]:
    """The architectures of a bundle, or of the front of a run, as text.

    Raises:
        ValueError: the folder is neither a run nor a bundle, or is damaged.
    """
    if (path / "manifest.json").is_file():
        return (str(open_bundle(path).architecture),)
    return tuple(dict.fromkeys(str(trial.architecture) for trial in Run(path).front))
