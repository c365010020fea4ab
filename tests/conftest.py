"""One thread for every test and every process that a test starts: see trainers.determinism."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
