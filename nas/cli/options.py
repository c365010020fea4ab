"""Options that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
Select = Annotated[
    str,
    typer.Option(
        help="best (in the first objective), knee, smallest, or recommended (best by a model "
        "of all scores, which are noisy)."
    ),
]
TrialNumber = Annotated[int | None, typer.Option("--trial", help="The number of a trial.")]
MaxParams = Annotated[int | None, typer.Option(help="At most so many parameters.")]
SpaceFile = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="FILE:VARIABLE, if the search space is in a file of your own: it is run.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the bundle that is there.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Classes = Annotated[int, typer.Option(help="Logits.")]

Recipe = Annotated[
    str, typer.Option(help="Other fields of the recipe: averaging=0.9,mirror=random.")
]

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def recipe_fields(text: str) -> dict[str, Any]:
    """What a `Recipe` option says.

    Raises:
        ValueError: it is not written like that.
    """
    from search_spaces import notation as named

    return dict(named.parse(f"recipe:{text}")[1]) if text else {}


def parse_bytes(name: str, text: str | None) -> int | None:
    """The bytes that a text such as 500MB or 2GB says; None for none.

    Raises:
        ValueError: it says something else; names the option.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([KMGT]B|)", text.strip().upper())
    if found is None:
        raise ValueError(f"--{name}: want a size such as 500MB or 2GB, got {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def parse_resources(text: str) -> dict[str, float]:
    """The amounts that a text such as CPU=1,GPU=0.5 says.

    Raises:
        ValueError: it says something else.
    """
    amounts = {}
    for part in text.split(","):
        name, _, amount = part.partition("=")
        if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", amount) or not name:
            raise ValueError(f"--resources: want amounts such as CPU=1,GPU=0.5, got {text!r}")
        amounts[name.strip()] = float(amount)
    return amounts
