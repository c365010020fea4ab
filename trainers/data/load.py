"""Data sets by name or path, or of objects in memory."""

from collections.abc import Collection, Mapping
from pathlib import Path

from trainers.data.assembly import HELD_OUT, Held, assembled, check_image_size
from trainers.data.dataset import Dataset
from trainers.data.reading import Layout
from trainers.data.sources import source as sources
from trainers.data.sources import torchvision as downloads
from trainers.data.sources.source import Source
from trainers.data.sources.tables import table_file
from trainers.data.tables.preprocessing import TablePreprocessing
from trainers.data.tables.reading import SUFFIXES
from trainers.data.targets import TaskName


def data_sets() -> tuple[str, ...]:
    """Names of data sets for `load`; a folder or an .npz file is loaded by its path."""
    return ("digits", *downloads.DATA_SETS)


def is_data_set(name: str) -> bool:
    """True for a name of `data_sets`, which `load` takes before a file or folder called so."""
    return _plain(name) in data_sets()


def load(
    name_or_path: str | Path,
    *,
    seed: int = 0,
    image_size: int | None = None,
    root: Path | str | None = None,
    flippable: bool | None = None,
    layout: Layout | None = None,
    task: TaskName | None = None,
    target: str | None = None,
    sample_weight: str | None = None,
    table: TablePreprocessing | None = None,
    split_off: Collection[Held] = HELD_OUT,
) -> Dataset:
    """Load a data set to the CPU and split it into train, validation and test.

    Official test and validation splits are used as such; otherwise the test split is a stratified
    20 %, the same for every seed, and validation is a stratified 20 % of the rest, at most 10,000
    examples, drawn with `seed`.

    Args:
        name_or_path: A name in `data_sets()` (case, - and _ do not matter), an image folder
            (layout: see `folders.image_folder`), an .npz file or a folder of .npy files (arrays: see
            `npz.npz`), or a table in a CSV or Parquet file (see `tables.reading.read_table`).
        seed: Seed of the validation split.
        image_size: Resize images to this height and width, in pixels (bilinear, antialiased,
            without cropping).
        root: Folder of downloaded data sets; None means `data` in the current folder.
        flippable: True if a horizontally flipped image keeps its label; None means what is known of
            the data set, and False for a folder or a file.
        layout: The axes of arrays of inputs, such as NLC (see `reading.Reading`); None to infer
            them.
        task: The task; None to infer it from the targets (see `targets.inferred`).
        target: The target column of a table, or several separated by commas.
        sample_weight: The column of a table with the weights of the rows in the loss.
        table: The preprocessing of a table, where a network learned from an earlier one with the
            same columns; None to fit it on the training split.
        split_off: The splits, "validation" and "test", that are drawn where the data have none;
            others are empty then.

    Raises:
        ValueError: One line that says what is wrong with the name, the path, a file or the data.
    """
    check_image_size(image_size)
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        source = table_file(path, target, sample_weight, task)
    else:
        _refuse_columns(target, sample_weight)
        source = _find(name_or_path, image_size, Path(root or "data"), layout, task)
    if task not in (None, source.targets.task):
        raise ValueError(
            f"task: {name_or_path} holds {source.targets.outputs:,} classes, for classification; got {task}"
        )
    _check_layout(layout, source)
    return assembled(
        str(name_or_path),
        source,
        seed=seed,
        image_size=image_size,
        flippable=flippable,
        table=table,
        split_off=split_off,
    )


def from_objects(
    data: object,
    *,
    seed: int = 0,
    image_size: int | None = None,
    flippable: bool | None = None,
    layout: Layout | None = None,
    task: TaskName | None = None,
    target: str | None = None,
    sample_weight: str | None = None,
    split_off: Collection[Held] = HELD_OUT,
) -> Dataset:
    """A data set of what a program holds, on the CPU, split as `load` does.

    Args:
        data: One of these; a validation or test split that is given is used as such.
            `(X, y)`, `(X, y, X_val, y_val)` or `(X, y, X_val, y_val, X_test, y_test)`: each X a
            numpy array, torch tensor, list or DataFrame (see `objects.inputs`), each y labels of
            such a type (see `labels.read_labels`).
            A DataFrame, whose column `target` holds the labels.
            A dict of such arrays, with the names that an .npz file may have (see `npz.npz`).
            A `torch.utils.data.Dataset` that yields `(x, y)`, a tuple `(train, validation)` or
            `(train, validation, test)` of them, or a dict with those keys. Each is read once, its
            transforms included.
            A `Dataset`, which is returned as it is; arguments that would change it are refused.
        seed: Seed of the validation split, if there is none.
        image_size: Resize images to this height and width, in pixels.
        flippable: True if a horizontally flipped image keeps its label; None means False.
        layout: The axes of arrays of inputs, such as NLC (see `reading.Reading`); None to infer
            them.
        task: The task; None to infer it from the targets (see `targets.inferred`).
        target: The target column of a DataFrame, or several separated by commas.
        sample_weight: The column of a DataFrame with the weights of the rows in the loss.
        split_off: The splits, "validation" and "test", that are drawn where the data have none;
            others are empty then.

    Raises:
        ValueError: One line that names the array and says what is wrong with it.
    """
    check_image_size(image_size)
    if isinstance(data, Dataset):
        changes = {
            "image_size": image_size,
            "flippable": None if flippable == data.flippable else flippable,
            "layout": layout,
            "task": None if task == data.targets.task else task,
            "target": target,
            "sample_weight": sample_weight,
        }
        _refuse_changes(changes)
        return data
    from trainers.data.sources.objects import frame_source, is_frame, objects_source

    if is_frame(data):
        name, source = "table", frame_source(data, target, sample_weight, task)
    else:
        _refuse_columns(target, sample_weight)
        name, source = objects_source(data, layout, task)
    _check_layout(layout, source)
    return assembled(
        name,
        source,
        seed=seed,
        image_size=image_size,
        flippable=flippable,
        split_off=split_off,
    )


def _refuse_changes(changes: Mapping[str, object]) -> None:
    """Refuse arguments that would make another data set of one that is given."""
    for name, value in changes.items():
        if value is not None:
            raise ValueError(
                f"{name}: want None for a Dataset, which is used as it is, got {value}"
            )


def _check_layout(layout: Layout | None, source: Source) -> None:
    if layout is not None and source.reading is None:
        raise ValueError(f"layout: want none but for arrays of inputs, got {layout}")


def _refuse_columns(target: str | None, sample_weight: str | None) -> None:
    for name, column in (("target", target), ("sample_weight", sample_weight)):
        if column is not None:
            raise ValueError(f"{name}: want a table for the column {column!r}, got other data")


def _find(
    name_or_path: str | Path,
    image_size: int | None,
    root: Path,
    layout: Layout | None,
    task: TaskName | None,
) -> Source:
    """The source of that name or path. Names come first: a folder called `mnist` is `./mnist`."""
    name = "" if isinstance(name_or_path, Path) else _plain(name_or_path)
    if name == "digits":
        return sources.digits()
    if name in downloads.DATA_SETS:
        return downloads.torchvision_set(name, root, image_size)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        from trainers.data.sources.folders import image_folder
        from trainers.data.sources.npz import npy_folder, npy_names

        if npy_names(path):
            return npy_folder(path, layout, task)
        return image_folder(path, image_size)
    if path.is_file():
        from trainers.data.sources.npz import npz

        return npz(path, layout, task)
    raise ValueError(
        f"data: nothing called {str(name_or_path)!r}; want a folder, an .npz, .csv or "
        f".parquet file, or one of {', '.join(data_sets())}"
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
