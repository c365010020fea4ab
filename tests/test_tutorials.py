"""Every tutorial runs: its files are written, its commands and programs executed, in order.

A block with a title is a file. Other blocks of Python run in one namespace, as the cells of a notebook;
each line of bash is a command. What a page shows as output is text.
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
def test_tutorial(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names = {"__name__": "__main__"}
    for kind, title, block in BLOCK.findall(page.read_text()):
        if title:
            Path(title).write_text(block)
        elif kind == "python":
            exec(compile(block, page.name, "exec"), names)  # noqa: S102 - the page's program
        elif kind == "bash":
            for line in block.splitlines():
                run(line)


def run(line):
    """Run one command; one of ours in this process, which has imported what it needs."""
    if line.startswith("nas ") and PLAIN.fullmatch(line):
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
