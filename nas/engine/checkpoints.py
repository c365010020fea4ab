"""The checkpoints that a search keeps."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from pathlib import Path

from nas.core.trial import Trial, checkpoint_name, paused_name

_NAME = re.compile(r"trial-(\d+)\.")


def prune(
    folder: Path, front: Iterable[Trial], resumable: Iterable[int], ended: Container[int]
) -> None:
    """Delete checkpoints that are not needed any more.

    Args:
        folder: The folder of checkpoints.
        front: Trials whose weights are kept: those of the Pareto front, and those that may be there.
        resumable: Numbers of the trials whose checkpoints for resuming are kept.
        ended: Numbers of the trials that have been recorded; files of others are left alone.
    """
    needed = {checkpoint_name(trial.number) for trial in front}
    needed |= {paused_name(number) for number in resumable}
    for file in folder.iterdir():
        found = _NAME.match(file.name)
        if found and int(found[1]) in ended and file.name not in needed:
            file.unlink(missing_ok=True)
