"""The pages of the site: links lead somewhere, commands and programs are ones that the toolkit takes."""

import ast
import inspect
import re
import shlex
from pathlib import Path

import pytest
import typer

import nas
from nas.cli.main import app
from scripts import reference_pages, site_pages

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
GENERATED = {DOCS / name for name in site_pages.rooms()} | {
    DOCS / reference_pages.FOLDER / name
    for name in ("commands.md", "spaces.md", "strategies.md", "schedules.md", "metrics.md")
}
COMMAND = typer.main.get_command(app)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page, *kinds):
    """The texts of the blocks of code of a page that have one of the languages."""
    found = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.M)
    return [text for kind, text in found if kind in kinds]


def commands(page):
    """The `nas` commands in the blocks of a page."""
    lines = "\n".join(blocks(page, "", "bash")).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if re.match(r"\s*nas [a-z]", line)]


@every_page
def test_links_and_pictures_are_there(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", text)
    files = [page.parent / target for target in targets if "://" not in target]
    assert [f for f in files if not f.exists() and Path(f.resolve()) not in GENERATED] == []


@every_page
def test_commands_are_parsed(page):
    for text in commands(page):
        words = shlex.split(text.split(" > ")[0], comments=True)[1:]
        command = COMMAND
        while hasattr(command, "commands") and words:
            command, words = command.commands[words[0]], words[1:]
        if "--help" not in words:
            command.make_context(text, words)


@every_page
def test_programs_use_what_is_there(page):
    for text in blocks(page, "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "nas":
                assert hasattr(nas, node.attr), node.attr
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "nas.search",
                "nas.iterate",
            ):
                known = inspect.signature(nas.search).parameters
                assert {keyword.arg for keyword in node.keywords} <= {*known}


def options(command):
    """The options of a command and of all commands in it."""
    own = {
        text for parameter in command.params for text in parameter.opts + parameter.secondary_opts
    }
    return own.union(*map(options, getattr(command, "commands", {}).values()))


def options_of(script):
    """The options of a script: those it writes out, and the parameters of a `main` that typer runs."""
    text = script.read_text()
    found = set(re.findall(r'"(--[a-z][a-z-]+)"', text))
    for node in ast.parse(text).body if "typer.run(main)" in text else []:
        if isinstance(node, ast.FunctionDef) and node.name == "main":
            found |= {f"--{a.arg.replace('_', '-')}" for a in node.args.args}
    return found


SCRIPTS = set().union(*map(options_of, (ROOT / "scripts").rglob("*.py")))


@every_page
def test_options_that_are_named_exist(page):
    text = re.sub(r"^.*\b(pip|mkdocs|ruff) .*$", "", page.read_text(), flags=re.MULTILINE)
    named = set(re.findall(r"(?<![\w/.])--[a-z][a-z-]+", text))
    assert named - options(COMMAND) - SCRIPTS == set()


def test_every_page_has_a_place_in_the_menu():
    nav = (ROOT / "mkdocs.yml").read_text().split("\nnav:")[1]
    folders = re.findall(r": ([\w/]+/)$", nav, re.M)
    named = set(re.findall(r"[\w/]+\.md", nav)).union(
        *(site_pages.pages(DOCS / f, DOCS) for f in folders)
    )
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    generated = {page.relative_to(DOCS).as_posix() for page in GENERATED}
    assert {name for name in named if name.endswith(".md")} == pages | generated


def test_the_guides_answer_forty_questions():
    questions = re.findall(r"^### (.*)$", (DOCS / "guides" / "index.md").read_text(), re.M)
    assert len(set(questions)) >= 40
    assert all(question.endswith("?") for question in questions)
