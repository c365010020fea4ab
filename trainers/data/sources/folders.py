"""A folder of image files with one subfolder per class."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import PIL

from trainers.data import cache
from trainers.data.decoding import GREY_MODES, Pixels, decode, in_threads, loaded, named, opened
from trainers.data.sources.source import Examples, Source
from trainers.data.targets import of_classes

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
FEWEST_CACHED = 1000  # images; fewer are decoded in less than a second


def image_folder(path: Path, image_size: int | None) -> Source:
    """Read `path/{train,test}/<class>/*`, or `path/<class>/*` where there is no official test split.

    Images lie directly in the folder of their class and are recognised by their suffix
    (`SUFFIXES`); other files, hidden files and hidden folders are ignored. If every image is greyscale there is 1
    channel, else 3. Transparency is dropped, of an animation the first frame is read, and
    sixteen bits become eight.

    Raises:
        ValueError: One line that names the folder or the file: no images, fewer than two classes,
            train and test with different classes, a damaged or huge image, images of different
            sizes and no `image_size`.
    """
    folders = [path / "train", path / "test"] if (path / "train").is_dir() else [path]
    halves = [_images_by_class(folder) for folder in folders]
    classes = tuple(halves[0])
    if halves[-1].keys() != halves[0].keys():
        odd = sorted(halves[0].keys() ^ halves[-1].keys())
        raise ValueError(f"data: {path}: train and test differ in their classes: {', '.join(odd)}")
    files = [str(file) for half in halves for images in half.values() for file in images]
    pixels = _pixels(path, files, image_size)
    labels = [label for half in halves for label, name in enumerate(classes) for _ in half[name]]
    everything = Examples(pixels, np.array(labels, np.int64))
    if len(halves) == 1:
        return Source(everything, None, of_classes(classes), flippable=True)
    middle = sum(map(len, halves[0].values()))
    train = Examples(everything.inputs[:middle], everything.targets[:middle])
    test = Examples(everything.inputs[middle:], everything.targets[middle:])
    return Source(train, test, of_classes(classes), flippable=True)


def _pixels(path: Path, files: list[str], image_size: int | None) -> Pixels:
    """The images in `files`, uint8 [N,1 or 3,H,W]; large sets are cached, see `cache`."""
    if len(files) < FEWEST_CACHED:
        return _decoded(files, image_size)

    def digest(number: int) -> bytes:
        return sha256(Path(files[number]).read_bytes()).digest()

    content = sha256(f"1 {image_size} {PIL.__version__}".encode())
    for file, its_digest in zip(files, in_threads(digest, len(files), "reading"), strict=True):
        content.update(Path(file).relative_to(path).as_posix().encode() + its_digest)
    return cache.cached(content.hexdigest(), lambda room: _decoded(files, image_size, room))


def _decoded(files: list[str], image_size: int | None, room: cache.Room | None = None) -> Pixels:
    headers = named(lambda number: opened(files[number]), files.__getitem__)

    def is_grey(number: int) -> bool:
        with headers(number) as picture:
            return picture.mode in GREY_MODES

    return decode(
        len(files),
        lambda number: loaded(files[number]),
        files.__getitem__,
        grey=all(in_threads(is_grey, len(files))),
        image_size=image_size,
        room=room,
    )


def _images_by_class(folder: Path) -> dict[str, list[Path]]:
    """The image files of each class, both sorted by name."""
    if not folder.is_dir():
        raise ValueError(
            f"data: want a folder {folder} beside {folder.parent / 'train'}; there is none"
        )
    classes = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    found = {c.name: sorted(f for f in c.iterdir() if _is_image(f)) for c in classes}
    if not any(found.values()):
        raise ValueError(
            f"data: no images in {folder}; want {folder}/<class>/<image> ({_suffixes()})"
        )
    if len(found) < 2:
        raise ValueError(
            f"data: want at least 2 class folders in {folder}, got 1 ({classes[0].name})"
        )
    for name, images in found.items():
        if not images:
            raise ValueError(f"data: no images directly in {folder / name} ({_suffixes()})")
    return found


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


def _suffixes() -> str:
    return ", ".join(sorted(SUFFIXES))
