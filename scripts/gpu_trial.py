"""One trial of the GPU path: that it works, how fast it is, and what goes wrong.

    python scripts/gpu_trial.py --out gpu.json                      # on a GPU, within 6 minutes
    python scripts/gpu_trial.py --out gpu.json --device cpu --tiny  # tests the program, on a CPU
    python scripts/gpu_trial.py --out ranking.json --parts ranking,accuracy --data cifar10.npz \
        --table nasbench201.csv.gz                                  # a second call, on real images

Every part runs in a process of its own, with a deadline of its own. The file is whole after each
part; a part that hangs or dies leaves the figures that it had. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Lock
from time import monotonic, strftime
from typing import Any

from gpu_parts import PARTS
from gpu_parts.verdict import verdict

ROOT = Path(__file__).parent.parent
START = monotonic()
LEAST_SECONDS = 5  # a part is not begun with less left


class Document:
    """The figures of all parts, in a file that is replaced after each part."""

    def __init__(self, path: Path, circumstances: dict[str, Any]) -> None:
        self._path = path
        self._lock = Lock()
        self.fields: dict[str, Any] = {**circumstances, "wanted": {}, "ended": {}, "parts": {}}

    def add(self, name: str, ended: str, figures: Any) -> None:
        """Add a part, and how it ended."""
        with self._lock:
            self.fields["ended"][name] = ended
            self.fields["parts"][name] = figures
            if self.fields["device"] != "cpu":
                self.fields["wanted"] = verdict(self.fields["parts"])
            self.fields["seconds"] = round(monotonic() - START, 1)
            temporary = self._path.with_name(self._path.name + ".tmp")
            temporary.write_text(json.dumps(self.fields, indent=1))
            temporary.replace(self._path)
        print(f"[{monotonic() - START:6.1f} s] {name}: {ended}", flush=True)


def command_of(name: str, file: Path) -> list[str]:
    """The command of a part, with the options of this one."""
    return [sys.executable, __file__, *sys.argv[1:], "--part", name, "--file", str(file)]


def run_part(name: str, options: argparse.Namespace, folder: Path, document: Document) -> None:
    """Run a part in a process of its own, until its deadline."""
    limit = min(PARTS[name].seconds, options.seconds - (monotonic() - START))
    if limit < LEAST_SECONDS:
        document.add(name, "not begun: no time left", {})
        return
    file, log = folder / f"{name}.json", folder / f"{name}.log"
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    start = monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            command_of(name, file),
            cwd=folder,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            status = child.wait(limit)
            ended = "done" if status == 0 else f"exit status {status}"
        except subprocess.TimeoutExpired:
            ended = f"stopped after {limit:.0f} s"
        finally:
            with suppress(OSError):  # and the processes that it started
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    figures = json.loads(file.read_text()) if file.exists() else {}
    if ended != "done":
        figures["log"] = log.read_text(errors="replace")[-3000:]
    document.add(name, f"{ended}, {monotonic() - start:.1f} s", figures)


def run(options: argparse.Namespace) -> int:
    """Run the parts: first those that may run side by side, then the others one after another."""
    names = options.parts.split(",") if options.parts else [n for n, p in PARTS.items() if p.usual]
    if wrong := [name for name in names if name not in PARTS]:
        print(f"want some of {', '.join(PARTS)}, got {wrong[0]!r}", file=sys.stderr)
        return 2
    document = Document(
        options.out,
        {"started": strftime("%Y-%m-%d %H:%M:%S"), "device": options.device, "tiny": options.tiny},
    )
    with tempfile.TemporaryDirectory(prefix="gpu-trial-") as scratch:
        folder = Path(scratch)
        together = [name for name in names if not PARTS[name].alone]
        with ThreadPoolExecutor(1 if options.tiny else max(1, len(together))) as pool:
            list(pool.map(lambda name: run_part(name, options, folder, document), together))
        for name in names:
            if PARTS[name].alone:
                run_part(name, options, folder, document)
    for name, line in document.fields["wanted"].items():
        print(f"{name}: want {line['want']}; the worst is {line['worst']:.4g}: met {line['met']}")
    return int(any(not ended.startswith("done") for ended in document.fields["ended"].values()))


def main() -> int:
    """Run the trial, or, in a process of its own, one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--device", default="cuda", help="cuda or cpu")
    parser.add_argument("--tiny", action="store_true", help="sizes that test the program")
    parser.add_argument("--parts", default="", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=350.0, help="deadline of the whole trial")
    parser.add_argument("--data", default="", help=".npz file of images; default: generated")
    parser.add_argument("--table", default="", help="CSV file of NAS-Bench-201, for ranking")
    parser.add_argument("--part", default="", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ("out", "data", "table"):  # parts run in another folder
        if value := getattr(options, name):
            path = Path(value).absolute()
            setattr(options, name, path if name == "out" else str(path))
    if not options.part:
        return run(options)
    import torch
    from gpu_parts.trial import Trial

    torch.set_num_threads(1)
    part = getattr(import_module(f"gpu_parts.{PARTS[options.part].module}"), options.part)
    part(Trial(options.device, options.tiny, options.file, options.data, options.table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
