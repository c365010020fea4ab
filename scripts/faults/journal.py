"""Journals that a kill has cut or a disk has changed: recovered to the last whole record, or refused.

Cut at every byte of the last two records, and single bits flipped anywhere. Each time the library
and the command read it: they show what is whole, or name the line, and change nothing. A search
that goes on from a cut ends as the undisturbed one did. And two searches want the same folder.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random
from shutil import copytree

import nas
from faults import Finding
from nas.cli.main import main
from nas.runs.journal import Journal

SEARCH = ("--space", "mlp", "--max-params", "50000", "--epochs", "1", "--trials", "6")
FLIPS = {"quick": 30, "full": 1_000}
EVERY = {"quick": 401, "full": 1}  # bytes between two cuts
RESUMED = {"quick": 1, "full": 40}  # cuts after which the search goes on


def run(quick: bool, folder: Path) -> Finding:
    """Cut, flip, and race for the lock."""
    size = "quick" if quick else "full"
    good = folder / "undisturbed"
    status, _, said = command("search", *SEARCH, "--out", str(good))
    assert status == 0, said
    broken: list[str] = []
    lines = [
        _cuts(good, EVERY[size], broken),
        _flips(good, FLIPS[size], broken),
        _resumes(good, RESUMED[size], broken),
        _two_at_once(folder / "contested", broken),
    ]
    return Finding(held=not broken, lines=(*lines, *broken[:20]))


def _cuts(good: Path, every: int, broken: list[str]) -> str:
    file = good / "trials.jsonl"
    whole = file.read_bytes()
    cuts = range(_last_two(whole), len(whole), every)
    for cut in cuts:
        file.write_bytes(whole[:cut])
        lines = whole[:cut].count(b"\n")
        kept = list(Journal(file))
        status, out, said = command("show", str(good))
        if len(kept) != lines or status != 0 or f" {lines} trials" not in out:
            broken.append(f"cut at {cut}: {len(kept)} of {lines} kept; {status}, {said!r}")
        if file.read_bytes() != whole[:cut]:
            broken.append(f"cut at {cut}: reading it changed it")
    file.write_bytes(whole)
    return f"{len(cuts):,} cuts of the last two records: each read to the last whole one"


def _flips(good: Path, count: int, broken: list[str]) -> str:
    file = good / "trials.jsonl"
    whole, before, rng = file.read_bytes(), list(Journal(file)), Random(0)
    refused = 0
    for _ in range(count):
        position, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
        damaged = bytearray(whole)
        damaged[position] ^= bit
        file.write_bytes(damaged)
        line = whole[:position].count(b"\n") + 1
        status, out, said = command("show", str(good))
        named = status == 2 and out == "" and f"trials.jsonl, line {line}: " in said
        refused += named
        torn = position == len(whole) - 1 and list(Journal(file)) == before[:-1]
        if not (named and said.count("\n") == 1) and not torn:
            broken.append(f"bit {bit} of byte {position}, line {line}: {status}, {said!r}")
        if file.read_bytes() != bytes(damaged):
            broken.append(f"bit {bit} of byte {position}: reading it changed it")
    file.write_bytes(whole)
    return f"{count:,} flipped bits: {refused:,} refused with the line named, the rest torn off"


def _resumes(good: Path, count: int, broken: list[str]) -> str:
    whole = (good / "trials.jsonl").read_bytes()
    rng = Random(1)
    for number in range(count):
        cut = rng.randrange(_last_two(whole), len(whole))
        copy = copytree(good, good.with_name(f"cut {number}"))
        (copy / "trials.jsonl").write_bytes(whole[:cut])
        status, _, said = command("search", *SEARCH, "--out", str(copy))
        if status != 0 or decided(copy) != decided(good):
            broken.append(f"resumed from a cut at {cut}: {status}, {said!r}")
    return f"{count} searches resumed from a cut: each ended as the undisturbed one"


def _two_at_once(out: Path, broken: list[str]) -> str:
    """The second is told who the first is; and a killed one stands in nobody's way."""
    long = [*SEARCH[:-1], "100000", "--out", str(out)]
    first = subprocess.Popen(
        [sys.executable, "-m", "nas", "search", *long], stderr=subprocess.PIPE, text=True
    )
    try:
        assert first.stderr is not None
        begun = any(line.startswith("trial    1") for line in first.stderr)
        status, _, said = command("search", *long)
        holder = f"process {first.pid} on {os.uname().nodename}"
        if not begun or status != 2 or holder not in said.splitlines()[-1]:
            broken.append(f"the second search was not told of {holder}: {status}, {said!r}")
    finally:
        first.kill()
        first.communicate()
    done = len(nas.open_run(out).trials)
    enough = [*SEARCH[:-1], str(done + 1), "--out", str(out)]
    status, _, said = command("search", *enough)
    if status != 0 or len(nas.open_run(out).trials) != done + 1:
        broken.append(f"what a killed search left behind blocks: {status}, {said!r}")
    return "two searches in one folder: the second is told the process and the host of the first"


def decided(path: Path) -> list[dict[str, object]]:
    """The trials of a run without what another run would measure differently."""
    return [{**t.to_dict(), "measured": None} for t in nas.open_run(path).trials]


def command(*arguments: str) -> tuple[int, str, str]:
    """The `nas` command in this process: its status, stdout and stderr."""
    out, said = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(said), _signals_kept():
        try:
            main(list(arguments))
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    return status, out.getvalue(), said.getvalue()


class _signals_kept:  # noqa: N801 - it is used like a function
    """Puts back what the command does to the signals of this process."""

    def __enter__(self) -> None:
        self.before = {
            number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)
        }

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _last_two(whole: bytes) -> int:
    """The offset of the last two records."""
    return len(whole) - len(b"".join(whole.splitlines(keepends=True)[-2:]))
