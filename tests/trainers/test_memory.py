"""Memory goes back to the system, and errors that say it ran out are recognised."""

import os
import platform
from pathlib import Path

import pytest

from trainers import memory


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have no malloc_trim")
def test_free_memory_in_pieces_goes_back_to_the_system():
    pieces = [bytes([n % 256]) * 60_000 for n in range(2000)]  # below what is mapped by itself
    kept = pieces[::100]
    full = resident()
    del pieces
    memory.trim()
    assert full - resident() > 100_000_000
    assert all(len(set(piece)) == 1 for piece in kept)
