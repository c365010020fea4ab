"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Select = Annotated[
    str,
    typer.Option(
        help="Network to choose: best (in the first objective), knee, smallest, or recommended (the "
        "winner that the search confirmed, else the best by a model fitted to all scores)."
    ),
]
TrialNumber = Annotated[
    int | None,
    typer.Option("--trial", help="Number of a trial, instead of --select. Default: the best."),
]
MaxParams = Annotated[int | None, typer.Option(help="Largest number of parameters.")]
SpaceFile = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="FILE:VARIABLE of a search space in your own file, which is executed.",
    ),
]
LossFile = Annotated[
    str | None,
    typer.Option(
        "--loss",
        help="FILE:FUNCTION of the loss of your own that the network learned from, which is executed.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")]
Device = Annotated[str, typer.Option(help="Device to run on: auto, cpu, cuda or cuda:N.")]
Classes = Annotated[int, typer.Option(help="Number of output classes.")]

Recipe = Annotated[
    str, typer.Option(help="Further fields of the training recipe: averaging=0.9,flip=random.")
]


def recipe_fields(text: str) -> dict[str, Any]:
    """Parse the option `--recipe`.

    Raises:
        ValueError: the text is malformed.
    """
    from nas.runs.option import parse_recipe

    return parse_recipe(text, "recipe")
