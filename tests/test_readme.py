"""Every block of the README runs, in one folder and in order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_the_two_commands_stand_first():
    kind, block = BLOCKS[0]
    commands = [line.split("  ")[0].strip() for line in block.splitlines()]
    assert (kind, commands) == ("", ["pip install uv && uv run nas search", "uv run pytest"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    (folder / "tests").symlink_to(ROOT / "tests")  # a clone has the table that a block reads
    return folder


@pytest.mark.parametrize("number", range(1, len(BLOCKS)))
def test_block(folder, number):
    kind, block = BLOCKS[number]
    assert kind in ("bash", "python")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    if kind == "python":
        name = re.match(r"# (\w+\.py)\n", block)
        file = folder / (name[1] if name else f"block_{number}.py")
        file.write_text(block)
        run([sys.executable, str(file)], folder, environment)
        return
    for line in block.splitlines():
        command = shlex.split(line)
        run(command, folder, environment)


def run(command, folder, environment):
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["search.py", "--trials", "3", "--out", "runs/script"],
        ["reuse_winner.py", "runs/script-winner"],
        ["own_space.py"],
        [
            "compare_strategies.py",
            "--strategies",
            "random",
            "nsga2",
            "--trials",
            "2",
            "--seeds",
            "1",
            "--workers",
            "1",
            "--space",
            "mlp",
        ],
    ],
    ids=lambda arguments: arguments[0],
)
def test_script(folder, arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    script = str(ROOT / "scripts" / arguments[0])
    run([sys.executable, script, *arguments[1:]], folder, environment)
