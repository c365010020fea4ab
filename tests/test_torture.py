"""Every kind of fault, in its quick size. A new kind joins by being a module of `scripts/faults`."""

import os
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
KINDS = sorted(module.name for module in iter_modules([str(SCRIPTS / "faults")]))
LONG = {"disk", "hostile", "leaks", "ray", "sabotage", "same", "speed"}  # many seconds each


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.long) if k in LONG else k for k in KINDS]
)
def test_the_toolkit_holds_against(kind, tmp_path):
    impossible = import_module("faults").Impossible
    try:
        finding = import_module(f"faults.{kind}").run(quick=True, folder=tmp_path)
    except impossible as why:
        pytest.skip(str(why))
    assert finding.lines
    assert finding.held, "\n".join(finding.lines)


def test_every_kind_is_a_kind_of_the_command():
    torture = import_module("torture")
    assert torture.KINDS == KINDS
    assert LONG | {"journal", "kill", "network"} <= set(KINDS)
