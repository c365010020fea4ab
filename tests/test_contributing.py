"""The example of the pages on contributing runs, and the files that they name are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "contributing").glob("*.md"))]
TEXT = "".join(page.read_text() for page in PAGES)


def test_the_example_keeps_the_contract():
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(block, "add.md", "exec"), {})  # noqa: S102 - ours


def test_the_files_that_they_name_are_there():
    named = re.findall(r"`((?:nas|search_spaces|trainers|scripts|tests)/[\w/.]*)`", TEXT)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
