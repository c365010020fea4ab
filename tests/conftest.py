"""One thread for every test and every process that a test starts; the same examples every time."""

import os
import tempfile

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two that contend are slower, and other bits
CACHE = tempfile.TemporaryDirectory(prefix="nas-tests-")  # not the user's; it goes with the process
os.environ["XDG_CACHE_HOME"] = CACHE.name
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
