"""Every tutorial runs: its files are written, its commands and programs executed, in order.

A block with a title is a file. Other blocks of Python run in one namespace, as the cells of a notebook;
each line of bash is a command. A block of text is output: most of its lines have to be printed by the page, but for
numbers and for the architectures that are found, which may differ between machines. Text that begins with a
command is one that is too large for the tests.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nas.cli.main import main

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "tutorials").glob("[0-9]*.md"))
BLOCK = re.compile(r'```(\w+)(?: title="([^"]+)")?\n(.*?)```', re.DOTALL)
PLAIN = re.compile(r"[^|&;<>$*]+")  # a command that needs no shell


@pytest.mark.tutorials
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_tutorial(page, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.syspath_prepend(tmp_path)
    names, printed, stale = {"__name__": "__main__"}, set(), []
    for kind, title, block in BLOCK.findall(page.read_text()):
        if title:
            Path(title).write_text(block)
        elif kind == "python":
            exec(compile(block, page.name, "exec"), names)  # noqa: S102 - the page's program
        elif kind == "bash":
            for line in block.splitlines():
                run(line)
        printed |= set(shapes("".join(capfd.readouterr())))
        if kind == "text" and not re.match(r"nas |\w+=\S+ nas ", block):
            shown = shapes(block)
            missing = [line for line in shown if not any(now.startswith(line) for now in printed)]
            if len(missing) > len(shown) / 2:
                stale.append(block)
    assert not stale, "outputs that the page does not print:\n" + "\n".join(stale)


def shapes(output):
    """Lines of an output without numbers, spaces and what an ellipsis leaves out."""
    lines = (re.sub(r"[\d.,+%±-]+|\s+", "", line.split("...")[0]) for line in output.splitlines())
    return [line for line in lines if line]


def run(line):
    """Run one command; one of ours in this process, which has imported what it needs, but for Ray's cluster."""
    if line.startswith("nas ") and PLAIN.fullmatch(line) and "--executor ray" not in line:
        with pytest.raises(SystemExit) as end:
            main(shlex.split(line)[1:])
        assert end.value.code == 0, line
        return
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    subprocess.run(["bash", "-ec", line], check=True, env=environment)


def test_each_tutorial_has_code_and_a_next_step():
    for page in PAGES:
        text = page.read_text()
        assert BLOCK.search(text), page
        assert "## What next" in text, page
