"""`python -m nas` is `nas`."""

from nas.cli import run

run()
