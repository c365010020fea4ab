"""Options that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Select = Annotated[
    str,
    typer.Option(
        help="Network to choose: best (in the first objective), knee, smallest, or recommended (best "
        "by a model fitted to all scores, which removes noise)."
    ),
]
TrialNumber = Annotated[
    int | None, typer.Option("--trial", help="Number of a trial. Default: the best.")
]
MaxParams = Annotated[int | None, typer.Option(help="Largest number of parameters.")]
SpaceFile = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="FILE:VARIABLE of a search space in your own file, which is executed.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")]
Device = Annotated[str, typer.Option(help="Device to train on: auto, cpu, cuda or cuda:N.")]
Classes = Annotated[int, typer.Option(help="Number of output classes.")]

Recipe = Annotated[
    str, typer.Option(help="Further fields of the training recipe: averaging=0.9,flip=random.")
]

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def recipe_fields(text: str) -> dict[str, Any]:
    """Parse the option `--recipe`.

    Raises:
        ValueError: the text is malformed.
    """
    from search_spaces import notation as named

    return dict(named.parse(f"recipe:{text}")[1]) if text else {}


def parse_bytes(name: str, text: str | None) -> int | None:
    """Parse a size such as 500MB or 2GB to bytes; None stays None.

    Raises:
        ValueError: the text is malformed; names the option.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([KMGT]B|)", text.strip().upper())
    if found is None:
        raise ValueError(f"--{name}: want a size such as 500MB or 2GB, got {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def parse_resources(text: str) -> dict[str, float]:
    """Parse amounts such as CPU=1,GPU=0.5.

    Raises:
        ValueError: the text is malformed.
    """
    amounts = {}
    for part in text.split(","):
        name, _, amount = part.partition("=")
        if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", amount) or not name:
            raise ValueError(f"--resources: want amounts such as CPU=1,GPU=0.5, got {text!r}")
        amounts[name.strip()] = float(amount)
    return amounts
