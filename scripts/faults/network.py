"""Check that commands use no network address but the loopback address.

While a command runs, its sockets and those of its children are read from /proc, again and again:
none may listen or be connected elsewhere. Needs Linux.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from struct import pack
from time import monotonic, sleep

from faults import Finding

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests/nas/data/nasbench201_cifar100.csv.gz"
LISTENING = "0A"
SEARCH = ("--space", "mlp", "--max-params", "50000", "--epochs", "1")


@dataclass
class Seen:
    """The sockets that a command had open."""

    looks: int = 0
    listening: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)


def run(quick: bool, folder: Path) -> Finding:
    """Run the commands, one after another, and look."""
    broken, lines = [], []
    for words in commands(folder, quick):
        seen, status = watched(words, folder)
        name = " ".join(words[:2]) if words[0] == "nas" else words[0]
        where = ", ".join(sorted(seen.listening)) or "nothing"
        lines.append(f"{name}: listens on {where} ({seen.looks} looks)")
        if seen.elsewhere:
            broken.append(f"{name}: {', '.join(sorted(seen.elsewhere))}")
        if status not in (0, None):
            broken.append(f"{name}: exit {status}")
    if not any("tensorboard: listens on 127.0.0.1" in line for line in lines):
        broken.append("TensorBoard was not seen to listen: was it looked for?")
    return Finding(held=not broken, lines=(*lines, *broken))


def commands(folder: Path, quick: bool) -> Iterator[list[str]]:
    """Every command that there is, as the README has it."""
    run = str(folder / "runs" / "first")
    yield ["nas", "search", *SEARCH, "--trials", "3", "--out", run, *_workers()]
    yield ["tensorboard", "--logdir", str(folder / "runs"), "--port", str(_free_port())]
    if quick:
        return
    for executor in _executors():
        out = ["--out", f"{run}-{executor}", "--executor", executor]
        yield ["nas", "search", *SEARCH, "--trials", "3", *out]
    yield [
        *("nas", "benchmark", "search", "--table", str(TABLE), "--space", "nasbench201"),
        *("--accuracy", "cifar100_test_200ep", "--classes", "100", "--strategies", "random,local"),
        *("--trials", "20", "--seeds", "2", "--workers", "2", "--out", str(folder / "benchmark")),
    ]
    yield ["nas", "show", run]
    yield ["nas", "export", run, "--to", str(folder / "winner")]
    yield ["nas", "retrain", run, "--epochs", "2"]
    yield ["nas", "profile", "mobile", "mobilenet_v2"]
    yield ["nas", "spaces", "mlp"]
    for listing in ("spaces", "strategies", "schedules"):
        yield ["nas", listing]


def _workers() -> list[str]:
    return ["--workers", "2"] if "--workers" in _help() else []


def _executors() -> list[str]:
    return ["ray"] if "--executor" in _help() else []


def _help() -> str:
    command = [sys.executable, "-m", "nas", "search", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def watched(words: list[str], folder: Path) -> tuple[Seen, int | None]:
    """The sockets of a command and its children, and its exit status; None if it keeps serving."""
    serves = words[0] == "tensorboard"
    program = "nas.views.tensorboard.server" if serves else "nas"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    seen, end = Seen(), monotonic() + 120
    with subprocess.Popen(
        [sys.executable, "-m", program, *words[1:]],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while process.poll() is None and monotonic() < end:
                _look(process.pid, seen)
                if serves and seen.listening:
                    break
                sleep(0.1)
        finally:
            for child in tree(process.pid):
                os.kill(child, 9)
    return seen, None if serves else process.returncode


def _look(pid: int, seen: Seen) -> None:
    seen.looks += 1
    inodes = {inode for process in tree(pid) for inode in _sockets(process)}
    for local, remote, state, inode in _connections():
        if inode not in inodes:
            continue
        if state == LISTENING:
            seen.listening.add(local.rpartition(":")[0])
            if not _is_loopback(local):
                seen.elsewhere.add(f"listens on {local}")
        elif not _is_loopback(remote):
            seen.elsewhere.add(f"is connected to {remote}")


def _is_loopback(address: str) -> bool:
    host = ip_address(address.rpartition(":")[0])
    mapped = getattr(host, "ipv4_mapped", None)  # ::ffff:127.0.0.1 is 127.0.0.1
    return (mapped or host).is_loopback


def tree(pid: int) -> list[int]:
    """A process that is there and all that descend from it, the children first."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # it has ended
            continue
        found += [one for child in children for one in tree(int(child))]
    return [*found, pid] if Path(f"/proc/{pid}").exists() else found


def _sockets(pid: int) -> Iterator[str]:
    """The inodes of its sockets; those seen before it ended, if it does."""
    with suppress(OSError):
        for descriptor in list(Path(f"/proc/{pid}/fd").iterdir()):
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                yield target[8:-1]


def _connections() -> Iterator[tuple[str, str, str, str]]:
    """(local address, remote address, state, inode) of all there are."""
    for protocol in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            parts = line.split()
            yield _address(parts[1]), _address(parts[2]), parts[3], parts[9]


def _address(text: str) -> str:
    """`0100007F:1F90` as 127.0.0.1:8080: words of the machine's own order."""
    host, _, port = text.partition(":")
    words = [int(host[start : start + 8], 16) for start in range(0, len(host), 8)]
    packed = pack(f"={len(words)}I", *words)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return f"{socket.inet_ntop(family, packed)}:{int(port, 16)}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
