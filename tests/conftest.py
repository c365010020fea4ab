"""One thread for every test and every process that a test starts; the same examples every time.

A process takes whole files: those of half a minute or more are begun first, so that none is left
alone with one in the end.
"""

import os
import tempfile

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two that contend are slower, and other bits
CACHE = tempfile.TemporaryDirectory(prefix="nas-tests-")  # not the user's; it goes with the process
os.environ["XDG_CACHE_HOME"] = CACHE.name
if os.environ.get("NAS_GPU_TESTS") != "1":  # equal bits are promised on the CPU alone
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

LONGEST = (
    *("test_readme.py", "test_torture.py", "test_bundles.py", "test_search.py"),
    *("test_schedules.py", "test_explanations.py", "test_spaces.py", "test_scripts.py"),
    *("test_strategies.py", "test_cli.py", "test_executors.py", "test_browser.py"),
    *(
        "test_parallel_search.py",
        "test_plugins.py",
        "test_executor.py",
        "test_tensorboard.py",
        "test_benchmark.py",
        "test_strangers.py",
    ),
)


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))
