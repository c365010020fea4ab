"""Reproduction of a run: its command and its environment."""

from __future__ import annotations

import shlex
from typing import Any

from nas.runs import options
from nas.runs.run import Run


def command(run: Run) -> str:
    """The `nas search` that makes the same trials."""
    words = ["nas", "search", *options.write(run.settings), "--trials", str(len(run.trials))]
    return shlex.join([*words, "--out", run.path.name])


def circumstances(run: Run) -> list[tuple[str, str]]:
    """Name and value of everything else that decides the outcome."""
    header = run.header
    data = header.data
    about = (
        [("data", "those of the evaluator")]
        if data is None
        else [
            ("data", f"{data['name']}, fingerprint {data['fingerprint']}"),
            ("examples", ", ".join(f"{k} {v:,}" for k, v in data["examples"].items())),
        ]
    )
    found = [
        *about,
        ("torch threads", str(run.settings.threads)),
        ("proposals at a time", str(run.settings.max_pending)),
    ]
    if passed := run.settings.passed:
        found.append(("passed by a program, which alone can repeat it", ", ".join(passed)))
    if header.space_sha256 is not None:
        found.append(("SHA-256 of the space's file", header.space_sha256))
    made: dict[str, Any] = dict(header.made)
    versions = made.pop("versions", {})
    found += [(name, str(value)) for name, value in {**made, **versions}.items()]
    return found
