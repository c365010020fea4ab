"""A disk that is full in the middle of a search: it stops, keeps everything, and can go on.

The run is on a tmpfs of its own, in a mount namespace of its own, with a file beside it that leaves
so much room; afterwards that file goes, and the search with the same command goes on. It ends as an
undisturbed one did, with one worker or two. Needs Linux, where users may make namespaces (or root).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from faults import Finding, Impossible

POINTS = {"quick": 2, "full": 20}
MEGABYTES = 16
NAMESPACE = ("unshare", "--map-root-user", "--mount")
SEARCH = (
    *("--space", "mlp", "--strategy", "evolution", "--schedule", "asha:rungs=1+2"),
    *("--epochs", "2", "--trials", "8", "--max-params", "50000"),
)


def run(quick: bool, folder: Path) -> Finding:
    """Fill the disk, each time with room for a little more.

    Raises:
        Impossible: this system has no mount namespaces, or not for this user.
    """
    disk = folder / "disk"
    disk.mkdir()
    _check_namespaces(disk)
    mount = f'mount -t tmpfs -o size={MEGABYTES}m tmpfs "$0" && exec "$@"'
    points = POINTS["quick" if quick else "full"]
    here = [sys.executable, "-m", "faults.disk", str(disk), str(points)]
    scripts = Path(__file__).parents[1]
    path = os.pathsep.join([str(scripts), str(scripts.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", mount, str(disk), *here],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        return Finding(held=False, lines=(f"no disk to fill: {done.stderr.strip()[-500:]}",))
    broken, lines = json.loads(done.stdout)
    return Finding(held=not broken, lines=(*lines, *broken[:20]))


def _check_namespaces(disk: Path) -> None:
    mount = f'mount -t tmpfs -o size={MEGABYTES}m tmpfs "$0"'
    try:
        tried = subprocess.run(
            [*NAMESPACE, "sh", "-c", mount, str(disk)], capture_output=True, text=True
        )
    except FileNotFoundError:
        raise Impossible("there is no unshare") from None
    if tried.returncode != 0:
        raise Impossible(f"no file system of its own: {tried.stderr.strip()[-200:]}")


def _inside(disk: Path, points: int) -> tuple[list[str], list[str]]:
    """All points, on the disk that is mounted by now: what broke, and the figures."""
    from faults.journal import command, decided

    broken: list[str] = []
    stopped, logged, resumed = 0, 0, 0
    status, _, said = command("search", *SEARCH, "--out", str(disk / "undisturbed"))
    assert status == 0, said
    wanted, size = decided(disk / "undisturbed"), _size(disk / "undisturbed")
    _clear(disk)
    for point in range(points):
        room = int(size * (point + 0.5) / points)
        ballast, out = disk / "ballast", disk / "run"
        _fill(disk, ballast, room)
        search = ("search", *SEARCH, "--workers", str(1 + point % 2), "--out", str(out))
        status, _, said = command(*search)
        last = said.strip().splitlines()[-1]
        before = decided(out) if (out / "run.json").exists() else []
        logged += "TensorBoard is no longer updated" in said
        stopped += status == 74
        if status not in (0, 74) or (status == 74 and "run the same command again" not in last):
            broken.append(f"room for {room:,} bytes: {status}, {last!r}")
        if before != wanted[: len(before)]:
            broken.append(f"room for {room:,} bytes: what was recorded differs")
        ballast.unlink()
        status, _, said = command(*search)
        if status == 0 and decided(out) == wanted:
            resumed += 1
        else:
            broken.append(f"room for {room:,} bytes, resumed: {status}, {said[-300:]!r}")
        if left := [file.name for file in out.rglob("*.tmp")]:
            broken.append(f"room for {room:,} bytes: left behind {left}")
        _clear(disk)
    return broken, [
        f"{points} fill points: {stopped} stopped with 74 ({logged} lost TensorBoard first), "
        f"{points - stopped} ended without it; {resumed} of {points} went on to the same search"
    ]


def _fill(disk: Path, ballast: Path, room: int) -> None:
    """Leave `room` bytes."""
    status = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, status.f_bavail * status.f_frsize - room))


def _size(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*"))


def _clear(disk: Path) -> None:
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    print(json.dumps(_inside(Path(sys.argv[1]), int(sys.argv[2]))))
