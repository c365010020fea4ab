"""Verification of a bundle by a clean process, which cannot import this toolkit."""

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

TIMEOUT = 1800  # seconds


class VerificationError(ArithmeticError):
    """A bundle failed a check; names it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a bundle.

    Attributes:
        name: The name of the check.
        passed: True if the bundle passed it.
        found: A line: what was measured, or why it failed.
    """

    name: str
    passed: bool
    found: str


def verify(path: Path) -> list[Check]:
    """Run the checks of a bundle, up to the first that fails; see `clean_process`.

    Raises:
        ValueError: it is not a bundle of this version.
    """
    file = path / "manifest.json"
    if not file.is_file():
        raise ValueError(f"want the folder of a bundle, got {path}: it has no manifest.json")
    if b'"schema": 1,' in file.read_bytes():
        raise ValueError(
            f"{path}: an earlier version made it, without outputs to check; export it again"
        )
    with clean_process() as checks_of:
        return checks_of(path)


@contextmanager
def clean_process() -> Iterator[Callable[[Path], list[Check]]]:
    """Start a process for the checks of one bundle; yields the function that runs them in it.

    The process has none of this one's paths and environment variables, works in an empty folder,
    and refuses to import this toolkit. It starts at once, so that its imports, which take seconds,
    are done while the bundle is written; it ends with the block.
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
                out, err = child.communicate(os.fsencode(path.absolute()), timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                return [Check("process", False, f"still running after {TIMEOUT:,} s")]
            return _read(
                out.decode(errors="replace"), err.decode(errors="replace"), child.returncode
            )

        try:
            yield checks_of
        finally:
            child.kill()


def _read(out: str, err: str, status: int) -> list[Check]:
    """Parse the printed checks; where the process did not finish them, a failed one is added."""
    lines = [json.loads(line) for line in out.splitlines() if line.startswith('{"check"')]
    found = [Check(line["check"], line["passed"], line["found"]) for line in lines]
    is_whole = found and (found[-1].name == proof.LAST or not found[-1].passed)
    if status or not is_whole:
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        found.append(Check("process", False, f"ended with {status}: {last[:300]}"))
    return found


def require(found: list[Check]) -> None:
    """Refuse a bundle that failed a check.

    Raises:
        VerificationError: a check failed; names it.
    """
    for check in found:
        if not check.passed:
            raise VerificationError(f"the bundle fails verification: {check.name}: {check.found}")
