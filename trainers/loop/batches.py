"""Batches of an epoch: every example once, in random order, augmented in blocks."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from trainers.data.dataset import Dataset, Split
from trainers.data.transforms import alternating_flips, augment_with_masks
from trainers.determinism import derive_seed
from trainers.recipes.recipe import Recipe

# Shape letters: N examples, B batch.

Block = tuple[Tensor, ...]  # numbers of the examples of each of several batches
BLOCK_BYTES = 64 * 2**20  # float32 examples that are augmented at once


class Batch(NamedTuple):
    """Some training examples.

    Attributes:
        inputs: Normalised and augmented, float32 [B,...].
        targets: See `trainers.data.dataset.Split`; masks are shifted and flipped as their images.
        weights: Weights of the examples, divided by their mean over the training split, float32
            [B]; None for equal weights.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None


def batches(data: Dataset, recipe: Recipe, *, epoch: int, seed: int) -> Iterator[Batch]:
    """Every training example once, in random order and augmented.

    Batch sizes differ by at most one: no example is dropped, and no batch has a single example.
    """
    device = data.device
    rng = Generator(device).manual_seed(derive_seed(seed, "data", epoch))
    order_N = torch.randperm(len(data.train), generator=rng, device=device)
    steps = steps_per_epoch(len(data.train), recipe.batch_size)
    flipped_N = _flipped(data, recipe, epoch, seed)
    blocks = _blocks(order_N.tensor_split(steps), 4 * data.train.inputs[0].numel())
    weights_N = data.train.weights
    if weights_N is not None:
        weights_N = weights_N / weights_N.mean()
    for block, inputs in _gathered(data.train, blocks):
        index = torch.cat(block)
        x, masks = augment_with_masks(
            inputs,
            data.mean,
            data.std,
            strength=recipe.augmentation,
            generator=rng,
            flipped=None if flipped_N is None else flipped_N[index],
            masks=data.train.targets[index] if data.targets.dense else None,
        )
        targets = data.train.targets[index] if masks is None else masks
        sizes = [len(batch) for batch in block]
        weights = [None] * len(sizes) if weights_N is None else torch.split(weights_N[index], sizes)
        yield from map(Batch, torch.split(laid_out(x), sizes), torch.split(targets, sizes), weights)


def _gathered(split: Split, blocks: Iterable[Block]) -> Iterator[tuple[Block, Tensor]]:
    """Each block and its images, on the device of the labels.

    Images of a file are read by a thread while the previous block is trained on. The thread uses
    no GPU: it would disturb the capture of a step.
    """
    device, images_device = split.targets.device, split.inputs.device
    if not split.mapped:
        yield from ((block, split.inputs[torch.cat(block).to(images_device)]) for block in blocks)
        return
    all_blocks = list(blocks)
    order_N = torch.cat([torch.cat(block) for block in all_blocks]).to(images_device)
    indices = torch.split(order_N, [sum(map(len, block)) for block in all_blocks])
    with ThreadPoolExecutor(1, "read ahead") as reader:
        coming: deque[tuple[Block, Future[Tensor]]] = deque()
        for block, index in zip(all_blocks, indices, strict=True):
            coming.append((block, reader.submit(split.inputs.__getitem__, index)))
            if len(coming) > 1:
                first, images = coming.popleft()
                yield first, images.result().to(device)
        for last, images in coming:
            yield last, images.result().to(device)


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Batches of at most `batch_size`, or one more where a single example would be left."""
    return max(1, min(-(-examples // batch_size), examples // 2))


def batch_counts(examples: int, steps: int, epochs: int) -> dict[int, int]:
    """Batches of each size, at most two, in `epochs` epochs of `steps` steps."""
    size, larger = divmod(examples, steps)
    counts = {size + 1: larger * epochs, size: (steps - larger) * epochs}
    return {size: count for size, count in counts.items() if count}


def _flipped(data: Dataset, recipe: Recipe, epoch: int, seed: int) -> Tensor | None:
    """Examples to flip in this epoch, bool [N]; None for none."""
    if not data.flippable or recipe.flip == "never":
        return None
    sides = Generator(data.device)
    if recipe.flip == "random":
        return alternating_flips(
            len(data.train), epoch, sides.manual_seed(derive_seed(seed, "sides", epoch))
        )
    sides.manual_seed(derive_seed(seed, "sides"))
    return alternating_flips(len(data.train), epoch, sides)


def _blocks(chunks: Block, example_bytes: int) -> Iterator[Block]:
    """Consecutive batches of about `BLOCK_BYTES` together."""
    run = max(1, BLOCK_BYTES // (example_bytes * len(chunks[0])))
    for start in range(0, len(chunks), run):
        yield chunks[start : start + run]


def laid_out(x: Tensor) -> Tensor:
    """Images in the memory format channels-last, in which convolutions are fast."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
