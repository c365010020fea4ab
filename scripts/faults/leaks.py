"""Thousands of short trials: memory, threads and open files must not grow with them.

Measured from outside, for the search and for its workers, over the later half of the trials: the
caches that are bounded (oneDNN's, the costs of architectures) are full by then. What trains is to
stay as it is; the process of the search keeps what it has proposed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import fault_targets
import numpy as np
import processes

from faults import Finding

SLOPE = 2_000  # bytes of resident memory that a trial may leave behind
LOOSE = 20_000  # for either in few trials, while caches fill
EVERY = 10  # trials between two looks


def run(*, quick: bool, folder: Path) -> Finding:
    """Watch a search in one process, and one with two workers."""
    lines: list[str] = []
    held = True
    for workers in (2,) if quick else (1, 2):
        command = fault_targets.command(
            folder / str(workers), "brief", "random", 400 if quick else 5000, workers=workers
        )
        looks: dict[str, list[tuple[int, int, int, int]]] = {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as search:
            assert search.stdout is not None
            for line in search.stdout:
                word, number, *_ = line.split()
                if word == "trial" and int(number) % EVERY == 0:
                    who = {"search": search.pid}
                    who |= {f"worker {pid}": pid for pid in processes.workers(search.pid)}
                    for name, pid in who.items():
                        looks.setdefault(name, []).append((int(number), *_look(pid)))
        if search.returncode:
            return Finding(held=False, lines=(f"exit status {search.returncode}",))
        if len(looks) != (1 if workers == 1 else 1 + workers):
            return Finding(held=False, lines=(f"a worker was replaced: {sorted(looks)}",))
        for name, seen in looks.items():
            line, flat = _judge(np.array(seen), LOOSE if quick else SLOPE)
            lines.append(f"{workers} at a time, {name.split()[0]}: {line}")
            held = held and flat
    return Finding(held=held, lines=tuple(lines))


def _look(pid: int) -> tuple[int, int, int]:
    try:
        return processes.resident(pid), processes.threads(pid), processes.descriptors(pid)
    except OSError:  # it ends just now
        return 0, 0, 0


def _judge(seen: np.ndarray, allowed: float) -> tuple[str, bool]:
    """A line about the later half of the measurements, and true if they are within bounds."""
    seen = seen[seen[:, 1] > 0]
    late = seen[len(seen) // 2 :]
    slope = float(np.polyfit(late[:, 0], late[:, 1], 1)[0])
    threads, files = late[:, 2], late[:, 3]
    flat = threads.max() <= threads.min() + 1 and files.max() <= files.min() + 2
    line = (
        f"{slope / 1000:+.2f} kB a trial over trials {late[0, 0]} to {late[-1, 0]}, "
        f"{late[-1, 1] / 1e6:.0f} MB; {threads.min()} to {threads.max()} threads, "
        f"{files.min()} to {files.max()} open files"
    )
    return line, bool(flat and slope <= allowed)
