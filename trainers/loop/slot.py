"""Trainings that take turns on one device, a step each, in one thread.

A small network leaves most of a GPU idle. Several fill it: each has a slot, that is a stream, on
which its steps are captured and replayed in a memory pool of its own, and random numbers of its own.
The data lie on the device once. Captures never overlap, because one thread does all. Bit for bit
each training is what it is alone.

It has never run on a GPU, and is tested by an emulation.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
Y = TypeVar("Y")


def on_gpu(device: torch.device) -> bool:
    """True if a slot on `device` has a stream."""
    return device.type == "cuda"


class Slot:
    """A place on a device for one training at a time.

    Whatever belongs to the training runs in its turns, from the first weights to the last file: on
    a GPU its memory is that of the stream of the slot.

    Args:
        device: The device. Data that its turns read have been put there before.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._cpu_state = torch.get_rng_state()
        if on_gpu(device):
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._stream.wait_stream(torch.cuda.current_stream(device))
            self._generator = self._default_generator().clone_state()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Make stream and random numbers those of the slot inside the block."""
        outside = torch.get_rng_state()
        torch.set_rng_state(self._cpu_state)
        try:
            if not on_gpu(self._device):
                yield
                return
            with torch.cuda.device(self._device), torch.cuda.stream(self._stream), self._numbers():
                yield
        finally:
            self._cpu_state = torch.get_rng_state()
            torch.set_rng_state(outside)

    def in_turns(self, steps: Generator[Y, None, T]) -> Generator[Y, None, T]:
        """Run the steps of a training, each in a turn of this slot."""
        try:
            while True:
                with self.turn():
                    try:
                        found = next(steps)
                    except StopIteration as end:
                        result: T = end.value
                        return result
                yield found
        finally:
            with self.turn():
                steps.close()

    @contextmanager
    def _numbers(self) -> Iterator[None]:
        """Let the default generator of the GPU have a state of its own, which graphs refer to.

        A state is more than a seed: replays write it to memory of the GPU that the graphs of all who
        share it read, at another time.
        """
        default = self._default_generator()
        outside = default.graphsafe_get_state()
        default.graphsafe_set_state(self._generator)
        try:
            yield
        finally:
            default.graphsafe_set_state(outside)

    def _default_generator(self) -> torch.Generator:
        return torch.cuda.default_generators[self._device.index or 0]
