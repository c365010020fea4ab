"""Decoding of image files into one uint8 array, by a pool of threads."""

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile

from trainers import memory

Pixels = npt.NDArray[np.uint8]

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
T = TypeVar("T")

LARGEST_CHOSEN = 224  # pixels; the side of most published networks for photographs
CHUNK = 64  # images per task of a thread
THREADS = min(8, os.cpu_count() or 1)


def decode(
    count: int,
    read: Callable[[int], Image.Image],
    name: Callable[[int], str],
    *,
    grey: bool,
    size: tuple[int, int] | None,
    room: Callable[[tuple[int, ...]], Pixels] | None = None,
) -> Pixels:
    """Decode the images `read(0)` to `read(count - 1)`, turned upright, as uint8 [N,1 or 3,H,W].

    Args:
        count: Number of images, at least 1.
        read: Reads an image; called from several threads, once for each number and once more for
            0.
        name: Names an image in error messages.
        grey: Decode to one channel, else to red, green and blue.
        size: Resize to this height and width, in pixels; None requires images of one size.
        room: Allocates the array; by default in memory.

    Raises:
        ValueError: An image cannot be read (it is named), two differ in size, or they do not fit in
            memory.
    """
    upright_image = named(lambda number: upright(read(number)), name)
    height, width = size or upright_image(0).size[::-1]
    pixels = (room or in_memory)((count, 1 if grey else 3, height, width))

    def put(number: int) -> None:
        picture = upright_image(number)
        if size:
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


def named(read: Callable[[int], T], name: Callable[[int], str]) -> Callable[[int], T]:
    """`read`, with every error turned into a ValueError that names the image."""

    def read_or_name(number: int) -> T:
        try:
            return read(number)
        except Exception as error:  # a decoder may raise anything on a damaged file
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"data: cannot read the image {name(number)}: {reason}") from error

    return read_or_name


def opened(file: str | BinaryIO) -> ImageFile.ImageFile:
    """Open an image, a path or bytes, and read its header; its pixels are read when they are first used.

    Raises:
        ValueError: It has more pixels than Pillow considers safe (`Image.MAX_IMAGE_PIXELS`), or they
            are floats, of which nobody knows which is white.
        Exception: The error of the decoder for a damaged file.
    """
    picture = Image.open(file)
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and picture.width * picture.height > limit:
        picture.close()
        raise ValueError(f"{picture.width}×{picture.height} pixels; want at most {limit:,}")
    if picture.mode == "F":
        picture.close()
        raise ValueError("want pixels of 8 or 16 bits, got floats; those of .npy files are read")
    return picture


def loaded(file: str | BinaryIO) -> Image.Image:
    """Read the first frame of an image, and close the file."""
    with opened(file) as picture:
        picture.load()
        return picture.copy()


def upright(picture: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation says: cameras store pixels as the sensor lay."""
    turn = _TURNS.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def upright_size(picture: ImageFile.ImageFile) -> tuple[int, int]:
    """Width and height that the image of an opened file has when it is upright."""
    width, height = picture.size
    if width == height or picture.format == "TIFF":  # Pillow has turned the size of a TIFF file
        return width, height
    if picture.format == "PNG" and b"eXIf" not in Path(str(picture.filename)).read_bytes():
        return width, height  # else Pillow looks for it behind the pixels, and decodes them
    return (height, width) if _orientation(picture) in _LYING else (width, height)


def _orientation(picture: Image.Image) -> int:
    try:
        found = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # whatever Pillow raises for damaged EXIF data, which hold no pixels
        return 1
    return found if isinstance(found, int) else 1


_LYING = (5, 6, 7, 8)  # orientations that exchange width and height
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def sensible_side(sizes: Iterable[tuple[int, int]]) -> int:
    """Side in pixels of squares for images of different widths and heights.

    The median of the shorter sides, rounded down to a multiple of 8; at least 8, at most 224.
    """
    side = int(np.median([min(size) for size in sizes]))
    return min(LARGEST_CHOSEN, max(8, side // 8 * 8))


def _eight_bit(picture: Image.Image, grey: bool) -> Image.Image:
    """Convert to mode L or RGB. Of sixteen bits the upper eight are kept; transparency is dropped."""
    if picture.mode.startswith("I"):
        upper = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255)
        picture = Image.fromarray(upper.astype(np.uint8))
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA")  # a palette's transparency is told apart first
    return picture.convert("L" if grey else "RGB")


def in_memory(shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
    """An array for examples [N,...], such as images [N,C,H,W].

    Raises:
        ValueError: This machine has not so much memory.
    """
    need = int(np.prod([float(side) for side in shape])) * np.dtype(dtype).itemsize
    there = memory.machine_bytes()
    if need > there:
        raise ValueError(
            f"data: {shape[0]:,} examples of {'×'.join(map(str, shape[1:]))} need {need / 1e9:.1f} GB, this machine has "
            f"{there / 1e9:.1f} GB; pass a smaller image_size"
        )
    return np.empty(shape, dtype)
