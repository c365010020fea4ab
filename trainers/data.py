"""Data sets as tensors: three splits on one device, indexed without any Python per example."""

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers import downloads, sources
from trainers.determinism import derive_seed
from trainers.sources import Half, Labels, Source
from trainers.stratified import stratified

if TYPE_CHECKING:
    import numpy.typing as npt

# Shape letters: N examples, C channels, H height, W width, D features, L length.

VALIDATION_SHARE = 0.2  # of the training half ...
MOST_VALIDATION = 10_000  # ... but no more examples than this: a standard error of at most 0.5 %
TEST_SHARE = 0.2  # where there is no official test half
TEST_SEED = 0  # the test split is the same whatever the caller's seed is
LARGEST_SIDE = 4096  # pixels


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Labelled examples on one device.

    Attributes:
        images: uint8 [N,C,H,W] for images, float32 [N,D] for vectors or [N,C,L] for sequences.
        labels: int64 [N].
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Split":
        """The same examples on `device`."""
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set, cut in three.

    Attributes:
        name: As it was asked for.
        train: What the weights learn from.
        validation: What a search may look at.
        test: What is looked at once, for what is reported.
        classes: Names by label.
        mean: float32 [C] ([D] for vectors) over the training split, in the images' own units
            (0..255 for pixels).
        std: Likewise; 1 where a channel never varies.
        flip: Whether a horizontally mirrored image keeps its label.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    mean: Tensor
    std: Tensor
    flip: bool

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(C,H,W) of images, (D,) of vectors, (C,L) of sequences."""
        return tuple(self.train.images.shape[1:])

    @property
    def device(self) -> torch.device:
        """Where all tensors are."""
        return self.train.labels.device

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex of the three splits and the class names; the same in every process."""
        digest = sha256(repr(self.classes).encode())
        for split in (self.train, self.validation, self.test):
            for tensor in (split.images, split.labels):
                digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data set on `device`."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
            mean=self.mean.to(device),
            std=self.std.to(device),
        )

    def with_validation_in_train(self) -> "Dataset":
        """For a final training: train and validation merged, mean and std anew, validation empty."""
        train = Split(
            torch.cat([self.train.images, self.validation.images]),
            torch.cat([self.train.labels, self.validation.labels]),
        )
        nothing = Split(self.validation.images[:0], self.validation.labels[:0])
        mean, std = _mean_and_std(train.images)
        return replace(self, train=train, validation=nothing, mean=mean, std=std)


def data_sets() -> tuple[str, ...]:
    """The names that `load` knows; a folder or an .npz file is loaded by its path."""
    return ("digits", *downloads.DATA_SETS)


def load(
    name_or_path: str | Path,
    *,
    seed: int = 0,
    image_size: int | None = None,
    root: Path | str | None = None,
    flip: bool | None = None,
) -> Dataset:
    """Load a data set to the CPU and cut it in train, validation and test.

    An official test half is the test split; otherwise it is a stratified 20 %, the same for every
    seed. Validation is a stratified 20 % of the rest, but at most 10,000 examples, drawn by `seed`.

    Args:
        name_or_path: A name in `data_sets()` (case, - and _ do not matter), an image folder
            (`folders.image_folder` says what it looks like), or an .npz file (`arrays.npz`
            likewise).
        seed: Of the validation split.
        image_size: Resize images to this height and width, in pixels (bilinear, antialiased,
            without cropping).
        root: Where downloaded sets lie and are put; None means `data` in the current folder.
        flip: Whether a mirrored image keeps its label; None means what is known of the data set,
            and yes for a folder or a file.

    Raises:
        ValueError: One line that names what is wrong with the name, the path, a file or the data.
    """
    if image_size is not None and not 1 <= image_size <= LARGEST_SIDE:
        raise ValueError(f"image_size: want 1 to {LARGEST_SIDE} pixels, got {image_size}")
    source = _find(name_or_path, image_size, Path(root or "data"))
    train, test = _cut_test(source)
    train, validation = _cut_validation(train, source.classes, seed)
    splits = [_split(half, image_size) for half in (train, validation, test)]
    mean, std = _mean_and_std(splits[0].images)
    return Dataset(
        name=str(name_or_path),
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        classes=source.classes,
        mean=mean,
        std=std,
        flip=source.flip if flip is None else flip,
    )


def _find(name_or_path: str | Path, image_size: int | None, root: Path) -> Source:
    """The source that is meant; names first, so that a folder called `mnist` is `./mnist`."""
    name = "" if isinstance(name_or_path, Path) else _plain(name_or_path)
    if name == "digits":
        return sources.digits()
    if name in downloads.DATA_SETS:
        return downloads.torchvision_set(name, root, image_size)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        from trainers.folders import image_folder

        return image_folder(path, image_size)
    if path.is_file():
        from trainers.arrays import npz

        return npz(path)
    raise ValueError(
        f"data: nothing called {str(name_or_path)!r}; want a folder, an .npz file or "
        f"one of {', '.join(data_sets())}"
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _cut_test(source: Source) -> tuple[Half, Half]:
    if source.test is not None:
        return source.train, source.test
    count = round(TEST_SHARE * len(source.train.labels))
    _check_counts(source.train.labels, source.classes, least=3)
    return _cut(source.train, count, len(source.classes), TEST_SEED)


def _cut_validation(train: Half, classes: tuple[str, ...], seed: int) -> tuple[Half, Half]:
    _check_counts(train.labels, classes, least=2)
    count = min(MOST_VALIDATION, round(VALIDATION_SHARE * len(train.labels)))
    return _cut(train, count, len(classes), derive_seed("validation", seed) >> 31)


def _cut(half: Half, count: int, classes: int, seed: int) -> tuple[Half, Half]:
    """The rest of `half` and a stratified `count` of it (at least `classes`), in its order."""
    cut = stratified(half.labels, max(count, classes), seed)
    return Half(half.images[~cut], half.labels[~cut]), Half(half.images[cut], half.labels[cut])


def _check_counts(labels: Labels, classes: tuple[str, ...], *, least: int) -> None:
    import numpy as np

    counts: npt.NDArray[np.intp] = np.bincount(labels, minlength=len(classes))
    if len(classes) < 2:
        raise ValueError(
            f"data: want at least 2 classes, got {len(classes)} ({', '.join(classes)})"
        )
    rarest = int(counts.argmin())
    if counts[rarest] < least:
        raise ValueError(
            f"data: class {classes[rarest]!r} has {counts[rarest]} training examples; "
            f"want at least {least} of each class to split them"
        )


def _split(half: Half, image_size: int | None) -> Split:
    images = torch.from_numpy(half.images)
    if image_size is not None and images.shape[1:][-2:] != (image_size, image_size):
        images = _resized(images, image_size)
    return Split(images, torch.from_numpy(half.labels))


def _resized(images: Tensor, size: int) -> Tensor:
    if images.dim() != 4:
        raise ValueError(f"image_size: want images, got vectors of shape {tuple(images.shape[1:])}")
    blocks = [
        F.interpolate(block.float(), size=(size, size), mode="bilinear", antialias=True)
        .round_()
        .clamp_(0, 255)
        .to(torch.uint8)
        for block in torch.split(images, 1000)
    ]
    return torch.cat(blocks)


def _mean_and_std(images: Tensor) -> tuple[Tensor, Tensor]:
    """Over everything but axis 1; of pixels exact, by histogram, whatever the number of threads."""
    if images.dtype == torch.uint8:
        values = torch.arange(256, dtype=torch.float64, device=images.device)
        columns = images.transpose(0, 1)
        share = torch.stack([c.flatten().bincount(minlength=256) for c in columns]).double()
        share /= share.sum(dim=1, keepdim=True)
        mean = share @ values
        variance = (share * (values - mean[:, None]) ** 2).sum(dim=1)
    else:
        axes = [axis for axis in range(images.dim()) if axis != 1]
        variance, mean = torch.var_mean(images.double(), dim=axes, correction=0)
    std = variance.sqrt()
    return mean.float(), torch.where(std > 0, std, 1.0).float()
