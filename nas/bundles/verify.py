"""Have a bundle proved by a process that starts clean and cannot import this toolkit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

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
    """The checks of a bundle, up to the first that failed; see `clean_process`.

    Raises:
        ValueError: it is not a bundle of this version.
    """
    file = path / "manifest.json"
    if not file.is_file():
        raise ValueError(f"want the folder of a bundle, got {path}: it has no manifest.json")
    if b'"schema": 1,' in file.read_bytes():
        raise ValueError(
            f"{path}: an earlier version made it, with no proof in it; export it again"
        )
    with clean_process() as checks_of:
        return checks_of(path)


@contextmanager
def clean_process() -> Iterator[Callable[[Path], list[Check]]]:
    """What runs the checks of one bundle, up to the first that fails, in a process of their own.

    It is isolated from this one's paths and variables, is in an empty folder, and refuses to import
    this toolkit. It starts at once, so that its imports, which take seconds, are done while the
    bundle is written; it ends with the block.
    """
    command = [sys.executable, "-I", "-B", proof.__file__]
    with (
        tempfile.TemporaryDirectory() as elsewhere,
        subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=elsewhere, stdin=PIPE, stdout=PIPE, stderr=PIPE
        ) as child,
    ):

        def checks_of(path: Path) -> list[Check]:
            try:
                out, err = child.communicate(os.fsencode(path.absolute()), timeout=LONGEST)
            except subprocess.TimeoutExpired:
                return [Check("process", False, f"it had not ended after {LONGEST:,} s")]
            return _read(
                out.decode(errors="replace"), err.decode(errors="replace"), child.returncode
            )

        try:
            yield checks_of
        finally:
            child.kill()


def _read(out: str, err: str, status: int) -> list[Check]:
    """The checks that were printed; one that failed at the end unless all were made."""
    lines = [json.loads(line) for line in out.splitlines() if line.startswith('{"check"')]
    found = [Check(line["check"], line["held"], line["found"]) for line in lines]
    is_whole = found and (found[-1].name == proof.LAST or not found[-1].held)
    if status or not is_whole:
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        found.append(Check("process", False, f"ended with {status}: {last[:300]}"))
    return found


def require(found: list[Check]) -> None:
    """Refuse a bundle that does not prove.

    Raises:
        Unproved: a check did not hold; names it.
    """
    for check in found:
        if not check.held:
            raise Unproved(f"the bundle does not prove: {check.name}: {check.found}")
