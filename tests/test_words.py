"""Docstrings, argument descriptions and help texts say what a thing is, in plain sentences."""

import ast
import re

import pytest

from scripts.structure import ROOT

RIDDLES = {"What", "Whether", "How", "Who", "Which", "Where", "When", "Why", "Of", "Likewise"}
ENTRY = re.compile(r"\s+\*{0,2}(\w+)(?: \([^)]*\))?: (\w+)")
SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):")


@pytest.mark.parametrize("folder", ["nas", "search_spaces", "trainers", "scripts", "tests"])
def test_no_docstring_or_help_text_opens_as_a_riddle(folder):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in riddles(ast.parse(path.read_text()))
    ]
    assert found == []


def test_riddles_are_found():
    source = '''
def f(x):
    """Whether it is.

    Args:
        x: Of the search.
        y: The seed of the search.
    """
    Option(help="Likewise.")
    Option(help="Number of classes.")
'''
    found = [text for _, text in riddles(ast.parse(source))]
    assert found == ["Whether it is.", "x: Of the search.", "Likewise."]


def riddles(tree):
    """The line and text of every opening that does not say what the thing is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            line, text = getattr(node, "lineno", 1), ast.get_docstring(node) or ""
            if opens_as_riddle(text):
                yield line, text.splitlines()[0]
            yield from ((line, entry) for entry in riddles_of_arguments(text))
        elif isinstance(node, ast.keyword) and node.arg == "help":
            text = node.value.value if isinstance(node.value, ast.Constant) else ""
            if opens_as_riddle(text):
                yield node.value.lineno, text


def riddles_of_arguments(text):
    section = ""
    for line in text.splitlines():
        if match := SECTION.fullmatch(line.strip()):
            section = match[1]
        elif section in ("Args", "Attributes"):
            entry = ENTRY.match(line)
            if entry and entry[2] in RIDDLES:
                yield line.strip()


def opens_as_riddle(text):
    return text.split(maxsplit=1)[0].strip(",.:;") in RIDDLES if text.strip() else False
