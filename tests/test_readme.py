"""Every block of the README runs, in one folder and in order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nas.cli.main import main

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_the_two_commands_stand_first():
    kind, block = BLOCKS[0]
    commands = [line.split("  ")[0].strip() for line in block.splitlines()]
    assert (kind, commands) == ("", ["pip install uv && uv run nas search", "uv run pytest"])


@pytest.fixture(scope="module", params=["here", pytest.param("typed", marks=pytest.mark.long)])
def way(request):
    """Run commands as `here` or `typed` does."""
    return request.param


@pytest.fixture(scope="module")
def folder(way, tmp_path_factory):
    folder = tmp_path_factory.mktemp(way)
    (folder / "tests").symlink_to(ROOT / "tests")  # a clone has the table that a block reads
    return folder


@pytest.fixture(scope="module")
def typed(folder):
    """Run a command as a user does, in a process of its own."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}

    def run(command):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture
def here(folder, monkeypatch, capfd):
    """Run a `nas` command in this process, which has imported already what it needs."""
    monkeypatch.chdir(folder)

    def run(command):
        assert command[0] == "nas"
        with pytest.raises(SystemExit) as end:
            main(command[1:])
        assert end.value.code == 0, capfd.readouterr().err

    return run


@pytest.mark.parametrize("number", range(1, len(BLOCKS)))
def test_block(way, folder, typed, here, number):
    kind, block = BLOCKS[number]
    assert kind in ("bash", "python")
    if kind == "python":
        name = re.match(r"# (\w+\.py)\n", block)
        file = folder / (name[1] if name else f"block_{number}.py")
        file.write_text(block)
        typed([sys.executable, str(file)])
        return
    for line, text in enumerate(block.splitlines()):
        run = typed if way == "typed" or (number, line) == (1, 0) else here
        run(shlex.split(text))
