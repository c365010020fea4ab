"""Predictions for files as JSON, as lines, as a CSV file and as masks in PNG files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nas.bundles.predictions import Masks
from nas.core.schema import visible
from nas.runs.atomic_io import write_bytes_whole
from nas.winners.predict import Predicted


def document(found: Sequence[Predicted]) -> list[dict[str, Any]]:
    """An object for each example: its input, its row in the input, and its prediction."""
    return [
        {**_place(part, number), "prediction": dict(row)}
        for part in found
        for number, row in enumerate(part.predictions.rows())
    ]


def lines(found: Sequence[Predicted]) -> Iterator[str]:
    """A line for each example."""
    named = [
        (visible(part.files[number]) + _row_text(part, number), line)
        for part in found
        for number, line in enumerate(part.predictions.lines())
    ]
    width = max((len(name) for name, _ in named), default=0)
    for name, line in named:
        yield f"{name:<{width}}  {line}"


def check_out(out: Path, *, masks: bool, force: bool) -> None:
    """Refuse a target that predictions must not be written to, before any work is done for it.

    Raises:
        ValueError: it exists and not `force`; or its name does not fit.
    """
    if not masks and out.suffix.lower() != ".csv":
        raise ValueError(f"--out: want the name of a .csv file, got {out}")
    if masks and out.suffix:
        raise ValueError(f"--out: want the name of a folder for masks, got {out}")
    if out.is_dir() and not masks:
        raise ValueError(f"--out: want the name of a .csv file, {out} is a folder")
    if out.exists() and not force and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists already: choose another name, or --force")


def write(found: Sequence[Predicted], out: Path) -> None:
    """Write masks as PNG files into the folder `out`, other predictions to the CSV file `out`."""
    if any(isinstance(part.predictions, Masks) for part in found):
        _write_masks(found, out)
    else:
        write_bytes_whole(out, _table(found).encode())


def _place(part: Predicted, number: int) -> dict[str, Any]:
    """The file of an example, and its number there."""
    row = {} if part.rows is None else {"row": part.rows[number]}
    return {"input": part.files[number], **row}


def _row_text(part: Predicted, number: int) -> str:
    return "" if part.rows is None else f" row {part.rows[number]}"


def _table(found: Sequence[Predicted]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for position, part in enumerate(found):
        columns = part.predictions.columns()
        if position == 0:
            writer.writerow(["input", "row", *columns])
        rows = part.rows or [""] * len(part.files)
        writer.writerows(zip(part.files, rows, *columns.values(), strict=True))
    return text.getvalue()


def _write_masks(found: Sequence[Predicted], folder: Path) -> None:
    """One file for each mask; its pixels are numbers of classes, and a palette gives them colours."""
    from PIL import Image

    taken: set[str] = set()
    for part in found:
        assert isinstance(part.predictions, Masks)
        for number, mask in enumerate(part.predictions.masks):
            row = "" if part.rows is None else f"-{part.rows[number]:05d}"
            stem = name = f"{Path(part.files[number]).stem}{row}"
            again = 1
            while name in taken:  # files of one name in several folders
                again += 1
                name = f"{stem}-{again}"
            taken.add(name)
            picture = Image.fromarray(mask.numpy(), mode="L")
            picture.putpalette(_palette())
            stream = io.BytesIO()
            picture.save(stream, format="PNG")
            write_bytes_whole(folder / f"{name}.png", stream.getvalue())


def _palette() -> bytes:
    """Red, green and blue of 256 classes, as PASCAL VOC colours them: the bits of the number, spread."""
    colours = bytearray()
    for number in range(256):
        for channel in range(3):
            bits = [(number >> (3 * place + channel)) & 1 for place in range(3)]
            colours.append(sum(bit << (7 - place) for place, bit in enumerate(bits)))
    return bytes(colours)
