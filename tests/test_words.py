"""Docstrings, argument descriptions and help texts say what a thing is, in plain sentences."""

import ast
import re
from functools import cache

import pytest

from scripts.structure import ROOT

PACKAGES = ("nas", "search_spaces", "trainers")
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
RIDDLES = {"What", "Whether", "How", "Who", "Which", "Where", "When", "Why", "Of", "Likewise"}
ENTRY = re.compile(r"\s+\*{0,2}(\w+)(?: \([^)]*\))?: (\w+)")
SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):")


@pytest.mark.parametrize("folder", ["nas", "search_spaces", "trainers", "scripts", "tests"])
def test_no_docstring_or_help_text_opens_as_a_riddle(folder):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in riddles(parsed(path))
    ]
    assert found == []


def test_every_public_name_has_a_docstring():
    """Modules, classes, functions and methods; a method may have that of its base class."""
    paths = [p for folder in PACKAGES for p in sorted((ROOT / folder).rglob("*.py"))]
    classes = {c.name: c for p in paths for c in parsed(p).body if isinstance(c, ast.ClassDef)}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path in paths
        for name, node, owner in public(parsed(path))
        if not documented(name, node, owner, classes)
    ]
    assert found == []
    assert [str(p) for p in paths if not ast.get_docstring(parsed(p))] == []


@cache
def parsed(path):
    return ast.parse(path.read_text())


def public(tree):
    """The public classes, functions and methods: name, node, and the class that a method is of."""
    for node in tree.body:
        if isinstance(node, DEFINITIONS) and not node.name.startswith("_"):
            yield node.name, node, None
            members = node.body if isinstance(node, ast.ClassDef) else []
            for member in members:
                if isinstance(member, DEFINITIONS) and not member.name.startswith("_"):
                    yield member.name, member, node


def documented(name, node, owner, classes):
    """True if a definition has a docstring, or overrides a method that has one."""
    if ast.get_docstring(node):
        return True
    bases = [ast.unparse(base).partition("[")[0] for base in owner.bases] if owner else []
    return any(
        documented(name, member, classes[base], classes)
        for base in bases
        if base in classes
        for member in classes[base].body
        if isinstance(member, DEFINITIONS) and member.name == name
    )


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
