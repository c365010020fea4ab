"""Inputs of blocks of batches, read ahead from a file and copied to the device of the training.

A thread reads the next block while one is trained on. It uses no GPU: it would disturb the capture
of a step. To a GPU a block is copied from one of two page-locked buffers, on a stream of its own: a
copy from other memory would make the program wait for all steps that it has launched.

The copies to a GPU have never run on one.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

# Shape letters: N all examples, n those of a block.


def read_ahead(inputs: Tensor, indices: Sequence[Tensor], device: torch.device) -> Iterator[Tensor]:
    """The inputs of each block, in turn.

    Args:
        inputs: All inputs, [N,...] on the CPU.
        indices: Numbers of the examples of each block, int64 [n] on the CPU.
        device: The device of the training.
    """
    upload = Upload(inputs, max(map(len, indices)), device) if device.type == "cuda" else None
    return _in_turn(inputs, indices, upload)


def _in_turn(
    inputs: Tensor, indices: Sequence[Tensor], upload: "Upload | None"
) -> Iterator[Tensor]:
    with ThreadPoolExecutor(1, "read ahead") as reader:
        coming: deque[Future[Tensor]] = deque()
        for index in indices:
            if upload is None:
                coming.append(reader.submit(inputs.__getitem__, index))
            else:
                coming.append(reader.submit(upload.gather, index, upload.free_buffer()))
            if len(coming) > 1:
                block = coming.popleft().result()
                yield block if upload is None else upload.copy(block)
        for last in coming:
            yield last.result() if upload is None else upload.copy(last.result())


class Upload:
    """Two page-locked buffers, which hold blocks in turn, and their copies to a GPU.

    Args:
        inputs: All inputs, [N,...] on the CPU.
        most: Number of examples of the largest block.
        device: The GPU.
    """

    def __init__(self, inputs: Tensor, most: int, device: torch.device) -> None:
        self._inputs = inputs
        self._device = device
        self._free = deque((_page_locked(most, inputs), _new_event()) for _ in range(2))
        self._filled: deque[tuple[Tensor, torch.cuda.Event]] = deque()

    def free_buffer(self) -> Tensor:
        """The next buffer, after the copy of what it held."""
        buffer, copied = self._free.popleft()
        self._filled.append((buffer, copied))
        copied.synchronize()  # it began before the block that is trained on now
        return buffer

    def gather(self, index: Tensor, buffer: Tensor) -> Tensor:
        """Read examples from the file into a buffer, in any thread."""
        return torch.index_select(self._inputs, 0, index, out=buffer[: len(index)])

    def copy(self, block: Tensor) -> Tensor:
        """Copy the block in the buffer that was filled first; steps launched before go on."""
        buffer, copied = self._filled.popleft()
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(_copy_stream(self._device)):
            there = torch.empty_like(block, device=self._device, pin_memory=False)
            there.copy_(block, non_blocking=True)
            copied.record()
        current.wait_event(copied)
        there.record_stream(current)  # its memory is not reused before it is read
        self._free.append((buffer, copied))
        return there


@cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _new_event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]


def _page_locked(most: int, inputs: Tensor) -> Tensor:
    return torch.empty(most, *inputs.shape[1:], dtype=inputs.dtype, pin_memory=True)
