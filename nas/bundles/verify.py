"""Have a bundle proved by a process that starts clean and cannot import this toolkit."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nas.bundles import proof

LONGEST = 1800  # seconds


class Unproved(ArithmeticError):  # noqa: N818 - the word for it
    """A bundle does not do what it says; names the check."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a bundle."""

    name: str
    held: bool
    found: str


def verify(path: Path) -> list[Check]:
    """The checks of a bundle, up to the first that failed.

    They run in a process of their own: isolated from this one's paths and variables, in an empty
    folder, and refusing to import this toolkit.

    Raises:
        ValueError: it is not a bundle of this version.
    """
    file = path / "manifest.json"
    if not file.is_file():
        raise ValueError(f"want the folder of a bundle, got {path}: it has no manifest.json")
    if b'"schema": 1' in file.read_bytes():
        raise ValueError(
            f"{path}: an earlier version made it, with no proof in it; export it again"
        )
    with tempfile.TemporaryDirectory() as elsewhere:
        command = [sys.executable, "-I", "-B", proof.__file__, str(path.absolute())]
        done = subprocess.run(  # noqa: S603 - our own program
            command, cwd=elsewhere, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"check"')]
    found = [Check(line["check"], line["held"], line["found"]) for line in lines]
    if done.returncode or not found:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        found.append(Check("process", False, f"ended with {done.returncode}: {last[:300]}"))
    return found


def prove(path: Path) -> list[Check]:
    """The checks of a bundle, all of which held.

    Raises:
        Unproved: one did not; names it.
    """
    found = verify(path)
    for check in found:
        if not check.held:
            raise Unproved(f"the bundle does not prove: {check.name}: {check.found}")
    return found
