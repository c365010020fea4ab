"""The request to stop a search: the file `stop` in its folder, which any program may put there."""

from __future__ import annotations

from pathlib import Path

FILE = "stop"


def request_stop(folder: Path) -> None:
    """Ask the search that writes to a folder to stop.

    Raises:
        ValueError: no search is writing to it.
    """
    if not (folder / "writer.txt").exists():
        raise ValueError(f"{folder}: no search is running")
    (folder / FILE).touch()


def stop_requested(folder: Path) -> bool:
    """True if the search has been asked to stop since it began."""
    return (folder / FILE).exists()


def forget_stop(folder: Path) -> None:
    """Remove a request, which was for the session before."""
    (folder / FILE).unlink(missing_ok=True)
