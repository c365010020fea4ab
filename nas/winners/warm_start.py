"""Warm starts: architectures of earlier searches, evaluated first by a new one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nas.bundles.read import open_bundle
from nas.core import schema
from nas.core.configuration import WarmStart
from nas.runs.atomic_io import read_whole
from nas.runs.run import Run
from search_spaces import Architecture, strict_json
from search_spaces.architecture import BOUNDS


def architectures_of(sources: Iterable[str | Path]) -> tuple[str, ...]:
    """The architectures of several sources as text, each once.

    Args:
        sources: Folders of bundles, folders of runs, whose fronts are taken, files that `nas portfolio`
            wrote, and architectures as text (`SPACE:JSON`), which may have hyperparameters (`SPACE:JSON
            with name=value`).

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
    if path.is_file():
        return _of_file(path)
    return [str(trial.architecture) for trial in Run(path).front]


def _of_file(path: Path) -> list[str]:
    """The configurations in a file that `nas portfolio` wrote."""
    content = read_whole(path, strict_json.UNTRUSTED.characters)
    try:
        found = strict_json.loads(content.decode())
        schema.items(schema.text(BOUNDS.characters), most=1_000)(found, "portfolio")
        for text in found:
            Architecture.parse(WarmStart.parse(text).architecture)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return list(found)
