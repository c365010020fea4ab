"""Augmentation and normalisation of whole batches on their device, without Python per example.

Shift and flip: the crop and horizontal flip of He et al., "Deep Residual Learning", CVPR 2016, §4.2,
flipped in alternating epochs as in Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
2024, §3.6 (arXiv 2404.00498). Cutout: DeVries & Taylor, "Improved Regularization of Convolutional
Neural Networks with Cutout", 2017 (arXiv 1708.04552).

Functions do not change their arguments, and draw only from the generator they are given.
"""

import torch
from torch import Generator, Tensor

from trainers.data.targets import IGNORED

# Shape letters: B batch, C channels, H height, W width, N examples.

LARGEST_SHIFT = 1 / 8  # of the side, at strength 1
LARGEST_HOLE = 1 / 2  # of the side, at strength 1: 16 of 32 pixels, as in the paper


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """float32 `(images - mean) / std`, channel by channel (axis 1); any number of axes."""
    shape = (1, -1, *[1] * (images.dim() - 2))
    return images.to(torch.float32, copy=True).sub_(mean.view(shape)).div_(std.view(shape))


def augment(
    images: Tensor,
    mean: Tensor,
    std: Tensor,
    *,
    strength: float,
    generator: Generator,
    flipped: Tensor | None = None,
) -> Tensor:
    """Shift, flip, normalise and cut a hole, each example differently: see `augment_with_masks`."""
    return augment_with_masks(
        images, mean, std, strength=strength, generator=generator, flipped=flipped
    )[0]


def augment_with_masks(
    images: Tensor,
    mean: Tensor,
    std: Tensor,
    *,
    strength: float,
    generator: Generator,
    flipped: Tensor | None = None,
    masks: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Shift, flip, normalise and cut a hole, each example differently.

    Args:
        images: uint8 or float32 [B,C,H,W]. Anything that is not an image (other than 4 axes) is
            only normalised.
        mean: float32 [C], in the units of `images`.
        std: float32 [C].
        strength: 0 (exactly `normalise`) to 1 (shifts of up to 1/8 and holes of 1/2 of the side).
        generator: On the device of `images`.
        flipped: Examples to flip left to right, bool [B]; None for none.
        masks: Classes of the pixels, uint8 [B,H,W], which are shifted and flipped with the images;
            pixels beyond the border become `IGNORED`. Images with masks have no holes.

    Returns:
        float32, of the shape of `images`, and the masks. Pixels beyond the border are 0, and the
        mean where images are not uint8.
    """
    if images.dim() != 4 or strength == 0:
        return normalise(images, mean, std), masks
    height, width = images.shape[2:]
    is_uint8 = images.dtype == torch.uint8
    x_BCHW = images if is_uint8 else normalise(images, mean, std)
    places = _places(x_BCHW, _reach(height, strength), _reach(width, strength), generator, flipped)
    x_BCHW = _moved(x_BCHW, places)
    if is_uint8:
        x_BCHW = normalise(x_BCHW, mean, std)
    if masks is None:
        side = round(min(height, width) * LARGEST_HOLE * strength)
        return cut_hole(x_BCHW, side, generator), None
    moved_BHW = _moved(masks[:, None], places)[:, 0]
    return x_BCHW, moved_BHW.masked_fill(~places[1], IGNORED)


def shift(
    images: Tensor, down: int, right: int, generator: Generator, flipped: Tensor | None = None
) -> Tensor:
    """Pad each of `images` [B,C,H,W] with zeros and crop it at a random position of its own.

    The padding is `down` pixels above and below and `right` pixels left and right. Images in
    `flipped` (bool [B]) are flipped left to right before.
    """
    return _moved(images, _places(images, down, right, generator, flipped))


def _places(
    images: Tensor, down: int, right: int, generator: Generator, flipped: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The pixel of the image for each pixel of the crop, int64 [B,H*W]; those inside, bool [B,H,W]."""
    batch, _, height, width = images.shape
    rows_BH = _positions(batch, height, down, generator)
    columns_BW = _positions(batch, width, right, generator)
    inside_BHW = _within(rows_BH, height)[:, :, None] & _within(columns_BW, width)[:, None, :]
    if flipped is not None:
        columns_BW = torch.where(flipped[:, None], width - 1 - columns_BW, columns_BW)
    pixels_BHW = rows_BH.clamp(0, height - 1)[:, :, None] * width
    pixels_BHW = pixels_BHW + columns_BW.clamp(0, width - 1)[:, None, :]
    return pixels_BHW.reshape(batch, -1), inside_BHW


def _moved(images: Tensor, places: tuple[Tensor, Tensor]) -> Tensor:
    """The crops at these places, zeros outside."""
    pixels_BP, inside_BHW = places
    batch, channels, height, width = images.shape
    flat_BCP = images.reshape(batch, channels, height * width)
    index_BCP = pixels_BP[:, None].expand(-1, channels, -1)
    moved_BCHW = flat_BCP.gather(2, index_BCP).view(images.shape)
    return moved_BCHW.mul_(inside_BHW[:, None])


def cut_hole(images: Tensor, side: int, generator: Generator) -> Tensor:
    """Set a `side` × `side` square of each normalised image to 0, which is the mean.

    Its position is random; it may lie partly outside.
    """
    if side == 0:
        return images
    batch, _, height, width = images.shape
    rows_BH = _hole(batch, height, side, generator, images.device)
    columns_BW = _hole(batch, width, side, generator, images.device)
    return images.masked_fill((rows_BH[:, :, None] & columns_BW[:, None, :])[:, None], 0.0)


def alternating_flips(count: int, epoch: int, generator: Generator) -> Tensor:
    """Examples to flip, bool [N]: a random half in even epochs, the other half in odd epochs.

    `generator` must be in the same state in every epoch: the halves are drawn once for all epochs.
    """
    sides_N = torch.randint(2, (count,), generator=generator, device=generator.device)
    return (sides_N + epoch) % 2 == 1


def _reach(side: int, strength: float) -> int:
    """The largest shift in pixels: at least 1, unless the image is a single line."""
    return max(1, round(side * LARGEST_SHIFT * strength)) if side > 1 else 0


def _positions(batch: int, side: int, reach: int, generator: Generator) -> Tensor:
    """The row (or column) of the image for each row (or column) of the crop, int64 [B,side]."""
    device = generator.device
    offsets_B = torch.randint(-reach, reach + 1, (batch,), generator=generator, device=device)
    return torch.arange(side, device=device) + offsets_B[:, None]


def _within(positions: Tensor, side: int) -> Tensor:
    return (positions >= 0) & (positions < side)


def _hole(batch: int, side: int, hole: int, generator: Generator, device: torch.device) -> Tensor:
    """The rows (or columns) of a hole with a random centre, bool [B,side]."""
    first_B = torch.randint(side, (batch,), generator=generator, device=device) - hole // 2
    distance = torch.arange(side, device=device) - first_B[:, None]
    return (distance >= 0) & (distance < hole)
