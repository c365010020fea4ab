"""TensorBoard itself: started on this machine's own address, with limits that drop nothing."""

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

from nas.runs.run import Run
from nas.views.tensorboard.board import complete, is_complete

_SAMPLES = "images=1000,text=1000"  # ten of each tag by default; 0 would keep none
_SELECTED = 500  # runs at most that Time Series selects by itself; the older pages: 40


@contextmanager
def prepare(runs: Sequence[Run], *, rebuild: bool, notify: Callable[[str], None]) -> Iterator[Path]:
    """A folder that shows `runs`: the board of the only one, or links to all.

    What a search left to be drawn is drawn; one that is running is shown as it is.

    Raises:
        ValueError: a run has no board and none can be written.
    """
    for run in runs:
        if rebuild or not is_complete(run):
            notify(f"{run.path}: writing {len(run.trials)} trials")
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


def free_port(wanted: int | None) -> int:
    """`wanted` if it is free; the first free one from 6006 on if none is wanted.

    Raises:
        ValueError: it is not free.
    """
    for port in range(6006, 6106) if wanted is None else (wanted,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ValueError(f"--port: want one that is free, got {wanted or '6006 to 6105'}: try another")


def welcome(port: int, trials: int) -> Iterator[str]:
    """Where to look, from here and from elsewhere.

    With many runs TensorBoard selects none by itself; a filter in the address makes them few.
    """
    here = f"http://127.0.0.1:{port}/"
    few = trials < _SELECTED
    yield f"curves      {here}{'' if few else '?runFilter=search'}#timeseries"
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
        ChildProcessError: it ended by itself, with an error.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--samples_per_plugin", _SAMPLES]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            status = process.wait()
        finally:
            process.terminate()  # which is nothing once it has ended by itself
    if status:
        raise ChildProcessError(f"TensorBoard ended with status {status}")


def _names(runs: Sequence[Run]) -> list[str]:
    """The names of the folders, with a number where several are the same."""
    names = [run.path.absolute().name for run in runs]
    return [f"{i}-{name}" if names.count(name) > 1 else name for i, name in enumerate(names)]
