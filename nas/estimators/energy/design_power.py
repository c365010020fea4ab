"""Design power of processors, for estimates where no counter can be read.

Watts by thread are those that the maker designs the cooling of the whole chip for (TDP), over its
threads. An estimate is right in proportions; in watts it may be off by half.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path

DEFAULT = 4.0  # watts by thread of a processor that is not in the table
MEMORY = 0.375  # watts by GB of memory: 3 W for a module of 8 GB
CPUINFO = Path("/proc/cpuinfo")

# Model: watts of the chip, threads of the chip.
_CHIPS: dict[str, tuple[float, int]] = {
    r"EPYC 7302\b": (155, 32),
    r"EPYC 7402\b": (180, 48),
    r"EPYC 7452\b": (155, 64),
    r"EPYC 7502\b": (180, 64),
    r"EPYC 7543\b": (225, 64),
    r"EPYC 7642\b": (225, 96),
    r"EPYC 7702\b": (200, 128),
    r"EPYC 7713\b": (225, 128),
    r"EPYC 7742\b": (225, 128),
    r"EPYC 7763\b": (280, 128),
    r"EPYC 9354\b": (280, 64),
    r"EPYC 9454\b": (290, 96),
    r"EPYC 9554\b": (360, 128),
    r"EPYC 9654\b": (360, 192),
    r"Xeon.* E5-2620 v4\b": (85, 16),
    r"Xeon.* E5-2650 v4\b": (105, 24),
    r"Xeon.* E5-2680 v4\b": (120, 28),
    r"Xeon.* E5-2699 v4\b": (145, 44),
    r"Xeon.* Gold 5218\b": (125, 32),
    r"Xeon.* Gold 6130\b": (125, 32),
    r"Xeon.* Gold 6148\b": (150, 40),
    r"Xeon.* Gold 6226R\b": (150, 32),
    r"Xeon.* Gold 6230\b": (125, 40),
    r"Xeon.* Gold 6248\b": (150, 40),
    r"Xeon.* Platinum 8168\b": (205, 48),
    r"Xeon.* Platinum 8260\b": (165, 48),
    r"Xeon.* Platinum 8280\b": (205, 56),
    r"Xeon.* Platinum 8358\b": (250, 64),
    r"Xeon.* Platinum 8380\b": (270, 80),
    r"Xeon.* Platinum 8480\+?": (350, 112),
    r"Ryzen 5 3600\b": (65, 12),
    r"Ryzen 5 5600X\b": (65, 12),
    r"Ryzen 7 3700X\b": (65, 16),
    r"Ryzen 7 5800X\b": (105, 16),
    r"Ryzen 7 7700X\b": (105, 16),
    r"Ryzen 9 3900X\b": (105, 24),
    r"Ryzen 9 5950X\b": (105, 32),
    r"Ryzen 9 7950X\b": (170, 32),
    r"i5-8250U\b": (15, 8),
    r"i7-8550U\b": (15, 8),
    r"i7-8700K\b": (95, 12),
    r"i7-9700K\b": (95, 8),
    r"i9-9900K\b": (95, 16),
    r"i7-1165G7\b": (28, 8),
    r"i7-12700K\b": (125, 20),
    r"i9-12900K\b": (125, 24),
    r"i9-13900K\b": (125, 32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignPower:
    """Design power of a machine, in watts.

    Attributes:
        thread_watts: Watts of a busy thread of the processor.
        origin: Their origin, in words.
        memory_watts: Watts by GB of memory in use.
    """

    thread_watts: float
    origin: str
    memory_watts: float = MEMORY

    def joules(self, processor_seconds: float, seconds: float = 0.0, memory: int = 0) -> float:
        """The energy of work.

        Args:
            processor_seconds: Processor seconds of all its threads.
            seconds: Seconds that it had its memory.
            memory: Bytes of its memory.
        """
        held = self.memory_watts * memory / 1e9
        return self.thread_watts * processor_seconds + held * seconds


def of_this_machine(thread_watts: float | None = None) -> DesignPower:
    """The design power of this machine.

    Args:
        thread_watts: Watts of a busy thread, if the user knows them.
    """
    if thread_watts is not None:
        return DesignPower(thread_watts=thread_watts, origin="as given")
    model = _model()
    for pattern, (watts, threads) in _CHIPS.items():
        if re.search(pattern, model):
            origin = f"{watts:g} W of {threads} threads of {model}"
            return DesignPower(thread_watts=watts / threads, origin=origin)
    origin = f"as is common: {model or 'the processor'} is not in the table"
    return DesignPower(thread_watts=DEFAULT, origin=origin)


def _model() -> str:
    """The model of the processor, as the system names it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor()
