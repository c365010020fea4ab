"""A package that offers a strategy and a space by entry points, in an environment of its own."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

import nas
from nas.plugins import packages_of
from tests.nas.decided import decided

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tests/plugin_package"
SEARCH = (
    *("search", "--space", "perceptron:most=40", "--strategy", "greedy:random_first=2"),
    *("--trials", "8", "--epochs", "1"),
)


def wheel(folder):
    """Build the wheel of the example package: what hatchling would, without the network."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items())
        for group, entries in project["entry-points"].items()
    )
    files = {
        **{p.relative_to(PACKAGE).as_posix(): p.read_text() for p in PACKAGE.rglob("*.py")},
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\n"
        f"Version: {project['version']}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/entry_points.txt": points,
    }
    record = "".join(
        f"{name},sha256={digest(text)},{len(text.encode())}\n" for name, text in files.items()
    )
    files[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def digest(text):
    found = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of a fresh environment: that of the tests, and the example package."""
    folder = tmp_path_factory.mktemp("environment")
    built = wheel(folder)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    made = folder / "venv/bin/python"
    pip = [made, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", built]
    subprocess.run(pip, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return made


def run(python, *arguments, check=True):
    """The command `nas` there; its output and its messages."""
    command = [python, "-m", "nas", *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


def test_its_strategy_and_its_space_are_listed_with_the_package(python):
    for listing, name in (("strategies", "greedy"), ("spaces", "perceptron")):
        found = json.loads(run(python, listing, "--json").stdout)
        packages = {entry["name"]: entry["package"] for entry in found}
        assert packages[name] == "nas-plugin-example 0.3.1"
        assert {package for other, package in packages.items() if other != name} == {None}
        shown = run(python, listing).stdout
        assert name in shown
        assert "nas-plugin-example" in shown
    assert "Mutate the best configuration found so far." in json.dumps(
        json.loads(run(python, "strategies", "--json").stdout)
    )


def test_they_keep_the_contracts(python):
    code = (
        "import nas; nas.testing.check_strategy('greedy'); "
        "nas.testing.check_space('perceptron', input_shape=(1, 8, 8))"
    )
    subprocess.run([python, "-c", code], env=environment(), check=True)


@pytest.mark.long
def test_a_search_with_them_is_killed_and_resumed_and_says_its_packages(python, tmp_path):
    run(python, *SEARCH, "--out", tmp_path / "whole")
    two = (*SEARCH, "--workers", "2")
    command = [python, "-m", "nas", *two, "--out", tmp_path / "killed"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as search:
        journal, end = tmp_path / "killed/trials.jsonl", time.monotonic() + 60
        while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
        search.send_signal(signal.SIGKILL)
    assert len(decided(tmp_path / "killed")) < 8
    run(python, *two, "--out", tmp_path / "killed")
    assert decided(tmp_path / "killed") == decided(tmp_path / "whole")
    header = json.loads((tmp_path / "killed/run.json").read_text())
    assert header["made"]["plugins"] == {"nas-plugin-example": "0.3.1"}

    said = (
        f"{tmp_path / 'killed/run.json'}: it uses the package nas-plugin-example 0.3.1, which is "
        f"not installed: pip install nas-plugin-example"
    )
    for arguments in ((*SEARCH, "--out", tmp_path / "killed"), ("show", tmp_path / "killed")):
        without = run(sys.executable, *arguments, check=False)
        assert without.returncode != 0
        assert without.stderr.strip().endswith(said)
        assert without.stderr.count("\n") == 1
    with pytest.raises(ValueError, match="which is not installed"):
        nas.search(space="perceptron", strategy="greedy", out=tmp_path / "killed")


def test_a_search_with_the_toolkit_alone_names_no_package():
    assert packages_of(space="mlp", strategy="evolution", schedule="asha:eta=2") == {}


def test_a_package_that_cannot_be_imported_is_named_in_one_line(monkeypatch):
    from nas.core import registry
    from nas.core.registry import Entry, Registry
    from search_spaces.plugins import Plugin

    broken = Plugin("mine", "no_such_module", "Mine", "my-package", "1.0")
    shadowing = Plugin("own", "no_such_module", "Mine", "my-package", "1.0")
    offered = {"mine": broken, "own": shadowing}
    monkeypatch.setattr(registry, "plugins", lambda group: offered)
    found = Registry("a thing", "nas.things", {"own": Entry("random", "Random", "known", "")})
    assert list(found) == ["own", "mine"]
    assert len(found) == 2
    assert found.look_up("own")[0].__name__ == "Random"  # a name of the toolkit stays its own
    said = "mine of the package my-package 1.0 cannot be imported: ModuleNotFoundError: No module"
    with pytest.raises(ValueError, match=f"^{said}"):
        found.look_up("mine")
    assert found["mine"].described().startswith(said)
    with pytest.raises(ValueError, match=r"^want a thing \(own, mine\), got 'other'$"):
        found.look_up("other")
