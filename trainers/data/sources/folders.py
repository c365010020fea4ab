"""A folder of image files with one subfolder per class."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL

from trainers.data import cache
from trainers.data.decoding import (
    GREY_MODES,
    Pixels,
    decode,
    in_threads,
    loaded,
    named,
    opened,
    sensible_side,
    upright_size,
)
from trainers.data.sources.arrays import PARTS, Part
from trainers.data.sources.labels import listed
from trainers.data.sources.source import Examples, Labels, Source
from trainers.data.split import draw_test
from trainers.data.targets import of_classes

JPEG = frozenset({".jfif", ".jpe", ".jpeg", ".jpg"})
SUFFIXES = JPEG | {".bmp", ".gif", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
UNREAD = frozenset({".avif", ".dcm", ".heic", ".heif", ".jp2", ".jxl", ".npy", ".svg", ".tga"})
FEWEST_CACHED = 1000  # images; fewer are decoded in less than a second
NOT_DATA = frozenset({"__macosx", "@eadir", "$recycle.bin", "__pycache__"})  # of archives and disks

Half = dict[str, list[Path]]  # image files by class, both sorted by name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """The form that images are decoded to: `height` × `width` pixels, grey or coloured."""

    height: int
    width: int
    grey: bool


def image_folder(path: Path, image_size: int | None) -> Source:
    """Read `path/<class>/*`, or `path/<part>/<class>/*` where `path` has official parts.

    Parts are called train, val and test, or by another word of `arrays.PARTS`, in any case; val and
    test may be missing, and may lack classes. A folder `train` without folders in it is a class.

    Images lie directly in the folder of their class and are recognised by their suffix
    (`SUFFIXES`); other files, hidden files, hidden folders and `NOT_DATA` are ignored. Images are
    turned upright by their EXIF orientation. If every training image is greyscale there is 1
    channel, else 3. Transparency is dropped, of an animation the first frame is read, and sixteen
    bits become eight.

    Args:
        path: The folder.
        image_size: Resize to this height and width, in pixels. None keeps the size of the training
            images if they have one, else takes squares of `decoding.sensible_side`.

    Raises:
        ValueError: One line that names the folder or the file: no images, fewer than two classes,
            a class that is not in the training part, two folders of one part, a damaged or huge
            image.
    """
    folders, unread = _parts(path)
    halves = {part: _images_by_class(folder, part) for part, folder in folders.items()}
    classes = tuple(halves["train"])
    why = "for want of class folders or a known name"
    notes = [f"not used: {listed(unread)}, {why}"] if unread else []
    notes += [
        note for folder in dict.fromkeys([path, *folders.values()]) for note in _outside(folder)
    ]
    notes += [note for folder in folders.values() for note in _within(folder)]
    for part in list(halves)[1:]:
        _check_classes(folders[part], halves[part], folders["train"], classes)
    labels = {
        part: np.array([k for k, name in enumerate(classes) for _ in half.get(name, ())], np.int64)
        for part, half in halves.items()
    }
    files = [str(file) for half in halves.values() for images in half.values() for file in images]
    pixels, changed = _pixels(path, files, _of_training(labels), image_size)
    found, start = {}, 0
    for part, its in labels.items():
        rows = slice(start, start := start + len(its))
        found[part] = Examples(pixels[rows], its)
    return Source(
        found["train"],
        found.get("test"),
        of_classes(classes),
        validation=found.get("validation"),
        notes=(*changed, *notes),
    )


def _parts(path: Path) -> tuple[dict[Part, Path], list[str]]:
    """The folders of the parts, `train` first, and the names of those that are not used."""
    folders = _folders(path)
    named_parts = [(PARTS[f.name.lower()], f) for f in folders if f.name.lower() in PARTS]
    parts = [(part, folder) for part, folder in named_parts if _folders(folder)]
    found: dict[Part, Path] = {}
    for part, folder in parts:
        if part in found:
            raise ValueError(
                f"data: {path}: {found[part].name} and {folder.name} mean the same ({part}); keep one"
            )
        found[part] = folder
    if found and len(parts) == len(folders) and "train" not in found:
        beside = ", ".join(folder.name for _, folder in parts)
        raise ValueError(f"data: want a folder {path / 'train'} beside {beside}; there is none")
    if "train" not in found:
        return {"train": path}, []
    order: tuple[Part, ...] = ("train", "validation", "test")
    left = [folder.name for folder in folders if folder not in found.values()]
    return {part: found[part] for part in order if part in found}, left


def _images_by_class(folder: Path, part: Part) -> Half:
    """The image files of each class. Only the training part must have some of each."""
    classes = _folders(folder)
    found = {c.name: _images(c) for c in classes}
    if part != "train":
        return {name: images for name, images in found.items() if images}
    if not any(found.values()):
        hint = f"; perhaps {classes[0]} is meant" if len(classes) == 1 else ""
        raise ValueError(
            f"data: no images in {folder}; want {folder}/<class>/<image> ({_suffixes()}){hint}"
        )
    if len(found) < 2:
        raise ValueError(
            f"data: want at least 2 class folders in {folder}, got 1 ({classes[0].name})"
        )
    for name, images in found.items():
        if not images:
            raise ValueError(f"data: no images directly in {folder / name} ({_suffixes()})")
    return found


def _check_classes(folder: Path, half: Half, train: Path, classes: tuple[str, ...]) -> None:
    """Refuse classes that cannot be learnt."""
    if odd := [name for name in half if name not in classes]:
        raise ValueError(f"data: {folder} has classes that {train.name} lacks: {listed(odd)}")
    if not half:
        raise ValueError(f"data: no images in {folder}; want {folder}/<class>/<image>")


def _outside(folder: Path) -> list[str]:
    """A note on images that lie beside the class folders."""
    images = _images(folder)
    return [f"not used: {len(images):,} images in no class folder of {folder}"] if images else []


def _within(folder: Path) -> list[str]:
    """Notes on folders in the class folders, and on images there of formats that are not read."""
    classes = _folders(folder)
    inner = [its.relative_to(folder) for one in classes for its in _folders(one)]
    names = [entry.name.lower() for one in classes for entry in _entries(one)]
    odd = sorted({Path(name).suffix for name in names if name.endswith(tuple(UNREAD))})
    return [
        *([f"not used: folders in class folders of {folder}: {listed(inner)}"] if inner else []),
        *([f"not used: files {', '.join(odd)} in class folders of {folder}"] if odd else []),
    ]


def _of_training(labels: dict[Part, Labels]) -> npt.NDArray[np.intp]:
    """The numbers of the images that decide the form of all: those that will not be for testing."""
    train = labels["train"]
    if "test" in labels:
        return np.arange(len(train))
    return np.flatnonzero(~draw_test(train, least=3 - ("validation" in labels)))


def _pixels(
    path: Path, files: list[str], training: npt.NDArray[np.intp], image_size: int | None
) -> tuple[Pixels, list[str]]:
    """The images in `files`, uint8 [N,1 or 3,H,W], and notes if they were resized or reduced.

    The form of all follows from those with the numbers `training`. Large sets are cached, see `cache`.
    """
    form, notes = _form(files, training, image_size)
    if len(files) < FEWEST_CACHED:
        return _decoded(files, form), notes

    def digest(number: int) -> bytes:
        return sha256(Path(files[number]).read_bytes()).digest()

    content = sha256(f"2 {form} {PIL.__version__}".encode())
    for file, its_digest in zip(files, in_threads(digest, len(files), "reading"), strict=True):
        content.update(Path(file).relative_to(path).as_posix().encode() + its_digest)
    return cache.cached(content.hexdigest(), lambda room: _decoded(files, form, room)), notes


def _form(
    files: list[str], training: npt.NDArray[np.intp], image_size: int | None
) -> tuple[_Form, list[str]]:
    headers = named(lambda number: opened(files[number]), files.__getitem__)

    def header(number: int) -> tuple[str, tuple[int, int]]:
        with headers(number) as picture:
            return picture.mode, upright_size(picture)

    read = in_threads(header, len(files))
    sizes = [size for _, size in read]
    known = [sizes[number] for number in training]
    if image_size is not None:
        width = height = image_size
    elif len(set(known)) == 1:
        width, height = known[0]
    else:
        width = height = sensible_side(known)
    grey = all(read[number][0] in GREY_MODES for number in training)
    form = _Form(height=height, width=width, grey=grey)
    deep = sum(mode.startswith("I") for mode, _ in read)
    notes = [f"{deep:,} images of 16 bits reduced to their upper 8"] if deep else []
    if set(sizes) == {(width, height)}:
        return form, notes
    least, most = min(sizes, key=_area), max(sizes, key=_area)
    theirs = _written(least) if least == most else f"{_written(least)} to {_written(most)}"
    chosen = "" if image_size else " (--image-size for another size)"
    resized = f"images of {theirs} pixels resized to {_written((width, height))}{chosen}"
    return form, [resized, *notes]


def _area(size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    return size[0] * size[1], size


def _written(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def _decoded(files: list[str], form: _Form, room: cache.Room | None = None) -> Pixels:
    return decode(
        len(files),
        lambda number: loaded(files[number]),
        files.__getitem__,
        grey=form.grey,
        size=(form.height, form.width),
        room=room,
    )


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder that may hold data, by name."""
    return sorted(
        folder / entry.name
        for entry in _entries(folder)
        if entry.is_dir() and entry.name.lower() not in NOT_DATA
    )


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    """Files and folders that are not hidden; which of them each is has been read with its name."""
    with os.scandir(folder) as found:
        return [entry for entry in found if not entry.name.startswith(".")]


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if _is_image(file))


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


def _suffixes() -> str:
    return ", ".join(sorted(SUFFIXES))
