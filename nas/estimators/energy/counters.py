"""Energy counters of a machine: RAPL's of the processor packages, NVML's of NVIDIA's GPUs.

RAPL counts the packages and, apart from them, the memory; the zones of cores and of graphics are
parts of a package, and are left out. Since 2020 Linux lets only root read it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Part = Literal["processor", "gpu"]

RAPL = Path("/sys/class/powercap")
_PACKAGE = re.compile(r"intel-rapl:\d+")  # AMD's have this name, too; psys and mmio count twice
_NESTED = re.compile(r"intel-rapl:\d+:\d+")


class Counter(Protocol):
    """A counter of joules since any time."""

    @property
    def source(self) -> str:
        """Its kind, "rapl" or "nvml"."""

    @property
    def part(self) -> Part:
        """The part of the machine that it counts."""

    @property
    def wraps_at(self) -> float:
        """Joules after which it begins again at 0; 0 for never."""

    def joules(self) -> float:
        """The present number.

        Raises:
            OSError: it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Rapl:
    """A zone of RAPL: the folder of a package, or of the memory beside one."""

    folder: Path
    wraps_at: float
    source: str = "rapl"
    part: Part = "processor"

    def joules(self) -> float:
        """Return the number that the kernel gives, in joules."""
        return _microjoules(self.folder / "energy_uj") / 1e6


def rapl(root: Path | None = None) -> tuple[list[Rapl], str]:
    """The counters of the processor packages and of memory; or none, and the reason in one line.

    Args:
        root: The folder of the zones; that of Linux by default.
    """
    root = root or RAPL
    found: list[Rapl] = []
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        return [], f"this machine has no RAPL counters in {root}"
    for folder in folders:
        try:
            name = (folder / "name").read_text().strip()
            package = _PACKAGE.fullmatch(folder.name) and name.startswith("package")
            memory = _NESTED.fullmatch(folder.name) and name == "dram"
            if package or memory:
                zone = Rapl(folder, _microjoules(folder / "max_energy_range_uj") / 1e6)
                zone.joules()
                found.append(zone)
        except PermissionError as error:
            return [], f"{error.filename} may be read by root only"
        except (OSError, ValueError) as error:
            return [], f"{folder}: {error}"
    return found, "" if found else f"this machine has no RAPL counters in {root}"


def _microjoules(file: Path) -> int:
    return int(file.read_text())


@dataclass(frozen=True, slots=True)
class Nvml:
    """The energy of a GPU since its driver was loaded.

    Args:
        name: Its number or UUID, as in CUDA_VISIBLE_DEVICES.
    """

    name: str
    source: str = "nvml"
    part: Part = "gpu"
    wraps_at: float = 0.0

    def joules(self) -> float:
        """Return the number of the GPU's driver, in joules."""
        return millijoules(self.name) / 1e3


def nvml(devices: Sequence[int]) -> tuple[list[Nvml], str]:
    """The counters of GPUs; or none, and the reason in one line.

    Args:
        devices: Numbers of the GPUs, as torch counts them: those that CUDA_VISIBLE_DEVICES names.
    """
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    counters = [Nvml(visible[n] if visible else str(n)) for n in devices]
    try:
        for counter in counters:
            counter.joules()
    except ImportError:
        return [], "want nvidia-ml-py (the extra energy) to measure a GPU, got none"
    except OSError as error:
        return [], f"NVML does not count the energy of a GPU: {error}"
    return counters, ""


def millijoules(name: str) -> int:
    """The energy of a GPU in mJ, as NVML counts it; takes no memory of the GPU.

    Raises:
        ImportError: nvidia-ml-py is not installed.
        OSError: the GPU, or its driver, does not count.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
        if name.isdecimal():
            handle = pynvml.nvmlDeviceGetHandleByIndex(int(name))
        else:
            handle = pynvml.nvmlDeviceGetHandleByUUID(name)
        return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    except pynvml.NVMLError as error:
        raise OSError(str(error)) from error
