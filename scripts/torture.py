"""Inject real faults into real searches, and count what is lost: nothing, if all is well.

    python scripts/torture.py                    # all, with the full figures: an hour and more
    python scripts/torture.py journal --quick    # one kind, in the size that the tests run

Exit status 0 if the toolkit withstood every fault, else 1.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from time import perf_counter
from typing import Annotated

import faults
import typer

KINDS = sorted(module.name for module in iter_modules(faults.__path__))


def main(
    kinds: Annotated[
        list[str] | None, typer.Argument(help=f"Kinds of faults: {', '.join(KINDS)}.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Inject a few faults of each kind.")
    ] = False,
) -> None:
    """Inject faults, one kind after another."""
    wrong = [kind for kind in kinds or () if kind not in KINDS]
    if wrong:
        print(f"want some of {', '.join(KINDS)}, got {wrong[0]!r}", file=sys.stderr)
        raise typer.Exit(2)
    held = True
    for kind in kinds or KINDS:
        start = perf_counter()
        with tempfile.TemporaryDirectory(prefix=f"torture-{kind}-") as folder:
            try:
                finding = import_module(f"faults.{kind}").run(quick=quick, folder=Path(folder))
            except faults.Impossible as why:
                print(f"{kind}: not on this machine: {why}", flush=True)
                continue
        held = held and finding.held
        print(f"{kind}: {'held' if finding.held else 'BROKEN'}, {perf_counter() - start:.0f} s")
        for line in finding.lines:
            print(f"  {line}", flush=True)
    raise typer.Exit(0 if held else 1)


if __name__ == "__main__":
    typer.run(main)
