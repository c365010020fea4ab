"""Curves of one training in TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainers import Epoch


@contextmanager
def curves(folder: Path) -> Iterator[Callable[[Epoch], None]]:
    """Yield a function that writes an epoch to `folder`, which is made with the first."""
    from torch.utils.tensorboard import SummaryWriter

    writers: list[SummaryWriter] = []

    def write(epoch: Epoch) -> None:
        if not writers:
            writers.append(SummaryWriter(folder))
        values = {
            "loss/training": epoch.train_loss,
            **{f"{name}/validation": value for name, value in epoch.metrics.items()},
            "learning_rate": epoch.learning_rate,
        }
        for tag, value in values.items():
            writers[0].add_scalar(tag, value, epoch.number)

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()
