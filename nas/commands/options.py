"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
