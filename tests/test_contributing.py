"""The example of CONTRIBUTING.md runs, and the files that it names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_the_example_keeps_the_contract():
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(block, "CONTRIBUTING.md", "exec"), {})  # noqa: S102 - ours


def test_the_files_that_it_names_are_there():
    named = re.findall(r"`((?:nas|search_spaces|trainers|scripts|tests)/[\w/.]*)`", TEXT)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
