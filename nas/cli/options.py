"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli.help import OUTPUT

# Headings of the help of commands with many options: see `nas.cli.help`.
NETWORK, OWN, TRAINING = "Network", "Your own code", "Training"

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of text.", rich_help_panel=OUTPUT),
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Select = Annotated[
    str,
    typer.Option(
        help="Network to choose: best (in the first objective), knee, smallest, or recommended (the "
        "winner that the search confirmed, else the best by a model fitted to all scores).",
        rich_help_panel=NETWORK,
    ),
]
TrialNumber = Annotated[
    int | None,
    typer.Option(
        "--trial",
        help="Number of a trial, instead of --select. Default: the best.",
        rich_help_panel=NETWORK,
    ),
]
MaxParams = Annotated[
    int | None, typer.Option(help="Largest number of parameters.", rich_help_panel=NETWORK)
]
SpaceFile = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="FILE:VARIABLE of a search space in your own file, which is executed.",
        rich_help_panel=OWN,
    ),
]
LossFile = Annotated[
    str | None,
    typer.Option(
        "--loss",
        help="FILE:FUNCTION of the loss of your own that the network learned from, which is executed.",
        rich_help_panel=OWN,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace an existing bundle.", rich_help_panel=OUTPUT)
]
Device = Annotated[str, typer.Option(help="Device to run on: auto, cpu, cuda or cuda:N.")]
Classes = Annotated[int, typer.Option(help="Number of output classes.")]

Recipe = Annotated[
    str,
    typer.Option(
        help="Further fields of the training recipe: averaging=0.9,flip=random.",
        rich_help_panel=TRAINING,
    ),
]


def recipe_fields(text: str) -> dict[str, Any]:
    """Parse the option `--recipe`.

    Raises:
        ValueError: the text is malformed.
    """
    from nas.runs.option import parse_recipe

    return parse_recipe(text, "recipe")
