"""Decoding of image files into one uint8 array, by a pool of threads."""

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainers import memory

Pixels = npt.NDArray[np.uint8]

GREY_MODES = frozenset({"1", "L", "LA", "La", "F", "I", "I;16", "I;16L", "I;16B", "I;16N"})
T = TypeVar("T")

CHUNK = 64  # images per task of a thread
THREADS = min(8, os.cpu_count() or 1)


def decode(
    count: int,
    read: Callable[[int], Image.Image],
    name: Callable[[int], str],
    *,
    grey: bool,
    image_size: int | None,
    room: Callable[[tuple[int, ...]], Pixels] | None = None,
) -> Pixels:
    """Decode the images `read(0)` to `read(count - 1)` as uint8 [N,1 or 3,H,W].

    Args:
        count: Number of images, at least 1.
        read: Reads an image; called from several threads, once for each number and once more for
            0.
        name: Names an image in error messages.
        grey: Decode to one channel, else to red, green and blue.
        image_size: Resize to this height and width, in pixels; None requires images of one size.
        room: Allocates the array; by default in memory.

    Raises:
        ValueError: An image cannot be read (it is named), two differ in size, or they do not fit in
            memory.
    """
    width, height = (image_size, image_size) if image_size else named(read, name)(0).size
    pixels = (room or in_memory)((count, 1 if grey else 3, height, width))

    def put(number: int) -> None:
        picture = named(read, name)(number)
        if image_size:
            picture = _eight_bit(picture, grey).resize((width, height), Image.Resampling.BILINEAR)
        elif picture.size != (width, height):
            raise ValueError(
                f"data: images differ in size: {name(0)} is {width}×{height}, {name(number)} is "
                f"{picture.width}×{picture.height} (width × height); pass image_size to resize them"
            )
        array = np.asarray(_eight_bit(picture, grey)).reshape(height, width, -1)
        pixels[number] = array.transpose(2, 0, 1)

    in_threads(put, count, "decoding")
    return pixels


def in_threads(work: Callable[[int], T], count: int, doing: str = "") -> list[T]:
    """Call `work(0)` to `work(count - 1)` in threads; return the results in order.

    The first error in that order is raised. A progress bar is shown on a terminal if `doing` names
    the work.
    """

    def chunk(start: int) -> list[T]:
        return [work(number) for number in range(start, min(start + CHUNK, count))]

    starts = range(0, count, CHUNK)
    with ThreadPoolExecutor(THREADS) as pool:
        chunks: Iterable[list[T]] = pool.map(chunk, starts)
        if doing and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import track

            said = f"{doing} {count:,} images"
            console = Console(stderr=True)
            chunks = track(chunks, said, len(starts), console=console, transient=True)
        return list(chain.from_iterable(chunks))


def named(
    read: Callable[[int], Image.Image], name: Callable[[int], str]
) -> Callable[[int], Image.Image]:
    """`read`, with every error turned into a ValueError that names the image."""

    def read_or_name(number: int) -> Image.Image:
        try:
            return read(number)
        except Exception as error:  # a decoder may raise anything on a damaged file
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"data: cannot read the image {name(number)}: {reason}") from error

    return read_or_name


def opened(path: str) -> Image.Image:
    """Open an image and read its header; its pixels are read when they are first used.

    Raises:
        ValueError: It has more pixels than Pillow considers safe (`Image.MAX_IMAGE_PIXELS`).
        Exception: The error of the decoder for a damaged file.
    """
    picture = Image.open(path)
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and picture.width * picture.height > limit:
        picture.close()
        raise ValueError(f"{picture.width}×{picture.height} pixels; want at most {limit:,}")
    return picture


def loaded(path: str) -> Image.Image:
    """Read the first frame of an image, and close the file."""
    with opened(path) as picture:
        picture.load()
        return picture.copy()


def _eight_bit(picture: Image.Image, grey: bool) -> Image.Image:
    """Convert to mode L or RGB. Of sixteen bits the upper eight are kept; transparency is dropped."""
    if picture.mode.startswith("I"):
        upper = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255)
        picture = Image.fromarray(upper.astype(np.uint8))
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA")  # a palette's transparency is told apart first
    return picture.convert("L" if grey else "RGB")


def in_memory(shape: tuple[int, ...]) -> Pixels:
    """An array for images [N,C,H,W].

    Raises:
        ValueError: This machine has not so much memory.
    """
    need = int(np.prod([float(side) for side in shape]))
    there = memory.machine_bytes()
    if need > there:
        raise ValueError(
            f"data: {shape[0]:,} images of {shape[3]}×{shape[2]} need {need / 1e9:.1f} GB, this machine has "
            f"{there / 1e9:.1f} GB; pass a smaller image_size"
        )
    return np.empty(shape, np.uint8)
