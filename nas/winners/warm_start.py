"""Warm starts: architectures of earlier searches that a new one evaluates first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nas.bundles.read import open_bundle
from nas.core.configuration import WarmStart
from nas.runs.run import Run
from search_spaces import Architecture


def architectures_of(sources: Iterable[str | Path]) -> tuple[str, ...]:
    """The architectures of several sources as text, each once.

    Args:
        sources: Folders of bundles, folders of runs, whose fronts are taken, and architectures as
            text (`SPACE:JSON`), which may have hyperparameters (`SPACE:JSON with name=value`).

    Raises:
        ValueError: a source is none of these, or a folder is damaged.
    """
    return tuple(dict.fromkeys(text for source in sources for text in _of(source)))


def _of(source: str | Path) -> list[str]:
    path = Path(source)
    if isinstance(source, str) and not path.exists() and ":" in source:
        Architecture.parse(WarmStart.parse(source).architecture)
        return [source]
    if (path / "manifest.json").is_file():
        return [str(open_bundle(path).architecture)]
    return [str(trial.architecture) for trial in Run(path).front]
