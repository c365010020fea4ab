"""Batches of an epoch: every example once, in random order, augmented in blocks."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from trainers.data.dataset import Dataset, Split
from trainers.data.transforms import alternating_flips, augment_with_masks
from trainers.determinism import derive_seed
from trainers.loop.streaming import read_ahead
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

    No example is dropped, and no batch has a single example: see `batch_sizes`.
    """
    device = data.device
    rng = Generator(device).manual_seed(derive_seed(seed, "data", epoch))
    order_N = torch.randperm(len(data.train), generator=rng, device=device)
    sizes = batch_sizes(len(data.train), recipe.batch_size, device)
    flipped_N = _flipped(data, recipe, epoch, seed)
    blocks = _blocks(torch.split(order_N, sizes), 4 * data.train.inputs[0].numel())
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
        cuts = [len(batch) for batch in block]
        weights = [None] * len(cuts) if weights_N is None else torch.split(weights_N[index], cuts)
        yield from map(Batch, torch.split(laid_out(x), cuts), torch.split(targets, cuts), weights)


def _gathered(split: Split, blocks: Iterable[Block]) -> Iterator[tuple[Block, Tensor]]:
    """Each block and its images, on the device of the labels; those of a file are read ahead."""
    device, images_device = split.targets.device, split.inputs.device
    if not split.mapped:
        yield from ((block, split.inputs[torch.cat(block).to(images_device)]) for block in blocks)
        return
    all_blocks = list(blocks)
    order_N = torch.cat([torch.cat(block) for block in all_blocks]).to(images_device)
    indices = torch.split(order_N, [sum(map(len, block)) for block in all_blocks])
    yield from zip(all_blocks, read_ahead(split.inputs, indices, device), strict=True)


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Batches of at most `batch_size`, or one more where a single example would be left."""
    return max(1, min(-(-examples // batch_size), examples // 2))


def batch_sizes(examples: int, batch_size: int, device: torch.device) -> list[int]:
    """The sizes of the batches of an epoch.

    They differ by at most one. On a GPU, where each size is a graph to capture, all but the first
    are equal, unless the first would have less than half as many.
    """
    steps = steps_per_epoch(examples, batch_size)
    size, larger = divmod(examples, steps)
    if device.type == "cuda":
        largest = -(-examples // steps)
        first = examples - (steps - 1) * largest
        if 2 * first >= largest:
            return [first, *[largest] * (steps - 1)]
    return [*[size + 1] * larger, *[size] * (steps - larger)]


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
    run = max(1, BLOCK_BYTES // (example_bytes * max(map(len, chunks))))
    for start in range(0, len(chunks), run):
        yield chunks[start : start + run]


def laid_out(x: Tensor) -> Tensor:
    """Images in the memory format channels-last, in which convolutions are fast."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
