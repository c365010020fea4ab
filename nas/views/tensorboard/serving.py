"""TensorBoard as a process that serves on the loopback address, without dropping pictures."""

from __future__ import annotations

import getpass
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nas.core.numbers import counted
from nas.runs.run import Run
from nas.views.tensorboard.board import complete, is_complete

_SAMPLES = "images=1000,text=1000"  # kept per tag; the default is ten, and 0 keeps none
_SELECTED = 500  # most runs that the page Time Series selects by itself; older pages: 40


@contextmanager
def prepare(runs: Sequence[Run], *, rebuild: bool, notify: Callable[[str], None]) -> Iterator[Path]:
    """Complete the boards of runs; yield a folder with the board of a single run or links to all.

    The board of a search that is running is left as it is.

    Raises:
        ValueError: a run has no board and none can be written.
    """
    for run in runs:
        if rebuild or not is_complete(run):
            notify(f"{run.path}: writing {counted(len(run.trials), 'trial')}")
        try:
            complete(run, rebuild=rebuild)
        except ValueError as error:
            if not (run.path / "tensorboard").is_dir():
                raise
            notify(f"{error}; showing what is there")
    if len(runs) == 1:
        yield runs[0].path / "tensorboard"
        return
    with TemporaryDirectory(prefix="nas-tensorboard-") as folder:
        for name, run in zip(_names(runs), runs, strict=True):
            (Path(folder) / name).symlink_to((run.path / "tensorboard").absolute())
        yield Path(folder)


def free_port(port: int | None) -> int:
    """Return `port` if it is free; without one, the first free port from 6006 on.

    Raises:
        ValueError: no such port is free.
    """
    for candidate in range(6006, 6106) if port is None else (port,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise ValueError(f"--port: want a free port, got {port or '6006 to 6105'}: try another")


def welcome(port: int, trials: int) -> Iterator[str]:
    """Yield the addresses of the pages, for this machine and for others.

    TensorBoard selects no run if there are many; a filter in the address makes them few.
    """
    here = f"http://127.0.0.1:{port}/"
    few = trials < _SELECTED
    yield f"curves      {here}?smoothing=0{'' if few else '&runFilter=search'}#timeseries"
    yield f"pictures    {here}#images&regexInput=search"
    yield f"text        {here}#text&regexInput=search"
    yield f"trials      {here}#hparams"
    yield f"encodings   {here}#projector"
    if not few:
        yield f"with over {_SELECTED} trials, tick the box above the runs to see the curves"
    yield "from another machine, the same addresses after:"
    yield f"  ssh -N -L {port}:127.0.0.1:{port} {getpass.getuser()}@{platform.node()}"
    yield "stop with Ctrl-C"


def serve_folder(folder: Path, port: int) -> None:
    """Run TensorBoard until it ends or is interrupted.

    Raises:
        ChildProcessError: TensorBoard ended with an error.
    """
    command = [sys.executable, "-m", "nas.views.tensorboard.server", "--logdir", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--samples_per_plugin", _SAMPLES]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            status = process.wait()
        finally:
            process.terminate()  # no effect once it has ended
    if status:
        raise ChildProcessError(f"TensorBoard ended with status {status}")


def _names(runs: Sequence[Run]) -> list[str]:
    """The names of the folders; equal names are numbered."""
    names = [run.path.absolute().name for run in runs]
    return [f"{i}-{name}" if names.count(name) > 1 else name for i, name in enumerate(names)]
