"""What a search can start from: the winners of earlier ones."""

from __future__ import annotations

from pathlib import Path

from nas.bundles.read import open_bundle
from nas.runs.run import Run


def winners_of(path: Path) -> tuple[str, ...]:
    """The architectures of a bundle, or of the front of a run, as text.

    Raises:
        ValueError: it is neither, or is damaged.
    """
    if (path / "manifest.json").is_file():
        return (str(open_bundle(path).architecture),)
    return tuple(dict.fromkeys(str(trial.architecture) for trial in Run(path).front))
