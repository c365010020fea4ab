"""Faults that are really injected into searches that run in parallel: few here, more by hand."""

import os
import sys
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
QUICK = {"kill"}  # the others start several processes that train: seconds each
LONG = {"leaks", "ray", "sabotage", "same", "speed"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
@pytest.mark.parametrize(
    "kind", [*QUICK, *(pytest.param(kind, marks=pytest.mark.long) for kind in sorted(LONG))]
)
def test_the_toolkit_holds_against(kind, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    finding = import_module(f"faults.{kind}").run(quick=True, folder=tmp_path)
    assert finding.held, "\n".join(finding.lines)
