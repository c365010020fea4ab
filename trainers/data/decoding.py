"""Image files to one uint8 array, by a pool of threads, each picture straight into its place."""

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

GREY_MODES = frozenset({"1", "L", "LA", "La", "F", "I", "I;16", "I;16L", "I;16B", "I;16N"})
T = TypeVar("T")

CHUNK = 64  # pictures per task of a thread
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
    """The pictures `read(0)` to `read(count - 1)` as uint8 [N,1 or 3,H,W].

    Args:
        count: How many; at least 1.
        read: Gives a picture; called from several threads, once for each number and once more for
            0.
        name: What an error calls a picture.
        grey: One channel, else red, green and blue.
        image_size: Resize to this height and width, in pixels; None wants pictures of one size.
        room: Makes the array that they are put in; by default one in memory.

    Raises:
        ValueError: A picture cannot be read (it is named), two differ in size, or all together do
            not fit in memory, if that is where they are put.
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
    """`work(0)` to `work(count - 1)`, in order; the first error in that order is raised.

    Somebody who looks at stderr sees how far it is, if it is said what is being done.
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
    """`read`, but whatever goes wrong is a ValueError that names the picture."""

    def read_or_name(number: int) -> Image.Image:
        try:
            return read(number)
        except Exception as error:  # a decoder may raise anything on a damaged file
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"data: cannot read the image {name(number)}: {reason}") from error

    return read_or_name


def opened(path: str) -> Image.Image:
    """The picture's header; its pixels are read when they are first used.

    Raises:
        ValueError: It has more pixels than Pillow thinks safe (`Image.MAX_IMAGE_PIXELS`).
        Exception: Whatever the decoder says of a damaged file.
    """
    picture = Image.open(path)
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and picture.width * picture.height > limit:
        picture.close()
        raise ValueError(f"{picture.width}×{picture.height} pixels; want at most {limit:,}")
    return picture


def loaded(path: str) -> Image.Image:
    """The first frame of the picture, its pixels read and the file closed."""
    with opened(path) as picture:
        picture.load()
        return picture.copy()


def _eight_bit(picture: Image.Image, grey: bool) -> Image.Image:
    """As L or RGB. Sixteen bits keep the upper eight; transparency is dropped."""
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
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if need > there:
        raise ValueError(
            f"data: {shape[0]:,} images of {shape[3]}×{shape[2]} need {need / 1e9:.1f} GB, this machine has "
            f"{there / 1e9:.1f} GB; pass a smaller image_size"
        )
    return np.empty(shape, np.uint8)
