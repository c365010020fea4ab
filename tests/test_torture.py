"""Every kind of fault, in its quick size. A new kind joins by being a module of `scripts/faults`."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
KINDS = sorted(module.name for module in iter_modules([str(SCRIPTS / "faults")]))


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.mark.parametrize("kind", KINDS)
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
    assert {"disk", "hostile", "journal", "network"} <= set(KINDS)
