"""The commands `nas verify`, `nas predict` and `nas latency`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from nas.cli.console import messages, print_json
from nas.cli.options import Classes, Device, Json

LARGEST_BATCH = 1 << 16
_MOST_NETWORKS = 10_000

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The folder of a bundle.")]


def verify(bundle: BundlePath, json: Json = False) -> int:
    """Verify a bundle in a clean process: its files, and that every format gives the same outputs."""
    from nas.bundles.verify import verify as run_checks

    checks = run_checks(bundle)
    passed = all(check.passed for check in checks)
    if json:
        print_json(
            {"bundle": str(bundle), "passed": passed, "checks": [asdict(check) for check in checks]}
        )
    else:
        for check in checks:
            print(f"{'passed' if check.passed else 'FAILED'}  {check.name}: {check.found}")
    return 0 if passed else 1


def predict(
    bundle: BundlePath,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUTS",
            help="Image files, CSV or Parquet files with raw rows, or .npy and .npz files.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="A .csv file to write, or a folder for masks, which become PNG files."),
    ] = None,
    device: Device = "cpu",
    force: Annotated[bool, typer.Option("--force", help="Replace the files of --out.")] = False,
    json: Json = False,
) -> None:
    """Predict with the network of a bundle: labels, values or masks, in the names and units of its data.

    Inputs are raw: images of any size, rows of a table as they were for the search, arrays in the units
    of the training data.
    """
    from nas.bundles.read import open_bundle
    from nas.winners import prediction_output
    from nas.winners.predict import predict as run

    opened = open_bundle(bundle)
    if out is not None:
        prediction_output.check_out(out, masks=opened.task.dense, force=force)
    found = run(opened, inputs, device=device)
    for remark in dict.fromkeys(remark for part in found for remark in part.remarks):
        messages().print(remark, markup=False)
    if out is not None:
        prediction_output.write(found, out)
    if json:
        print_json(prediction_output.document(found))
    elif out is not None:
        print(f"{sum(len(part.files) for part in found):,} predictions written to {out}")
    else:
        for line in prediction_output.lines(found):
            print(line)


def latency(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="The folder of a bundle.")
    ] = None,
    device: Device = "cpu",
    batches: Annotated[str, typer.Option(help="Batch sizes, separated by commas.")] = "1,8,64",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Measure torch.compile too.")
    ] = True,
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="SPACE",
            help="Measure networks of a search space instead, and write the profile of this machine, which "
            "--device-profile of nas search reads.",
            rich_help_panel="Profile of this device",
        ),
    ] = None,
    to: Annotated[
        Path,
        typer.Option(
            help="File of the profile; its name is that of the device.",
            rich_help_panel="Profile of this device",
        ),
    ] = Path("device.json"),
    sources: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="Profile of another device to learn from; may be repeated.",
            rich_help_panel="Profile of this device",
        ),
    ] = None,
    networks: Annotated[
        int,
        typer.Option(
            help="Number of networks to measure.", rich_help_panel="Profile of this device"
        ),
    ] = 20,
    backend: Annotated[
        str,
        typer.Option(
            help="Runtime of the profile: torch, onnxruntime or cuda-graph.",
            rich_help_panel="Profile of this device",
        ),
    ] = "torch",
    input: Annotated[  # noqa: A002 - the option is called --input
        str | None,
        typer.Option(
            "--input",
            help="Shape of one input. Default: 3x32x32, 3x128 or 64, as the space needs.",
            rich_help_panel="Profile of this device",
        ),
    ] = None,
    classes: Classes = 10,
    json: Json = False,
) -> None:
    """Measure the latency of a bundle in several runtimes, or calibrate estimates for this device."""
    if (bundle is None) == (calibrate is None):
        raise ValueError("latency: want the folder of a bundle, or --calibrate SPACE")
    if calibrate is not None:
        _write_profile(
            calibrate,
            to,
            sources=sources or [],
            networks=networks,
            batch=batches.partition(",")[0],
            device=device,
            backend=backend,
            shape=input,
            classes=classes,
        )
        return
    assert bundle is not None
    try:
        sizes = tuple(int(size) for size in batches.split(","))
    except ValueError:
        sizes = ()
    if not sizes or not 1 <= min(sizes) <= max(sizes) <= LARGEST_BATCH:
        raise ValueError(
            f"--batches: want whole numbers from 1 to {LARGEST_BATCH:,}, got {batches}"
        )
    if threads < 1:
        raise ValueError(f"--threads: want at least 1, got {threads}")

    from nas.bundles.read import open_bundle
    from nas.evaluators.training import resolve
    from nas.source.formats import has_onnx
    from nas.winners.latency import latencies

    opened, where = open_bundle(bundle), resolve(device)
    onnx = opened.path / "model.onnx"
    found = list(
        latencies(
            opened.net(),
            opened.task.input_shape,
            batches=sizes,
            device=where,
            onnx=onnx if onnx.is_file() and has_onnx() else None,
            compiled=compiled,
            threads=threads,
        )
    )
    if json:
        print_json(
            {"bundle": str(bundle), "device": str(where), "threads": threads}
            | {
                "latencies": [
                    {"way": name, **asdict(item), "too_noisy": item.too_noisy}
                    for name, item in found
                ]
            }
        )
        return
    from nas.core.numbers import counted

    print(f"milliseconds a batch: median (95 % interval), {where}, {counted(threads, 'thread')}")
    for name, item in found:
        low, middle, high = (f"{1000 * s:.2f}" for s in (item.low, item.median, item.high))
        shown = f"{'noisy' if item.too_noisy else middle:>8} ({low} to {high})"
        print(f"batch {item.batch:>4}  {name:<13}  {shown}")
    for reason in {item.too_noisy for _, item in found if item.too_noisy}:
        print(reason)


def _write_profile(
    space: str,
    to: Path,
    *,
    sources: Sequence[Path],
    networks: int,
    batch: str,
    device: str,
    backend: str,
    shape: str | None,
    classes: int,
) -> None:
    """Calibrate, write the profile and print its error.

    Args:
        space: The search space, as for `nas search --space`.
        to: File of the profile.
        sources: Profiles of other devices.
        networks: Number of networks to measure.
        batch: Inputs in the batch.
        device: The device.
        backend: The runtime.
        shape: Shape of one input as text; None for that of the space.
        classes: Number of outputs.

    Raises:
        ValueError: an option is out of range, or a profile cannot be read.
    """
    if not 2 <= networks <= _MOST_NETWORKS:
        raise ValueError(f"--networks: want 2 to {_MOST_NETWORKS:,}, got {networks}")
    if backend not in ("torch", "onnxruntime", "cuda-graph"):
        raise ValueError(f"--backend: want torch, onnxruntime or cuda-graph, got {backend!r}")
    if not batch.isdigit() or int(batch) < 1:
        raise ValueError(f"--batches: want a whole number, got {batch!r}")

    from nas.analysis.space_report import usual_task
    from nas.estimators.device.calibrate import calibrate
    from nas.estimators.device.profile import DeviceProfile
    from nas.evaluators.training import resolve
    from search_spaces import Task, load
    from search_spaces.task import parse_shape

    opened = load(space)
    task = usual_task(opened, classes)
    if shape is not None:
        task = Task(parse_shape(shape), classes, dense=opened.dense)
    profile = calibrate(
        opened,
        task,
        name=to.stem,
        networks=networks,
        sources=[DeviceProfile.read(path) for path in sources],
        batch=int(batch),
        device=str(resolve(device)),
        backend=backend,
    )
    profile.write(to)
    print(profile.summary())
    print(
        f"next: nas search --space {quote(space)} --device-profile {quote(str(to))} "
        f"--objectives accuracy,estimated_latency_ms --data DATA, with inputs "
        f"{'x'.join(map(str, task.input_shape))}"
    )
