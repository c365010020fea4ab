"""The pages of the reference say what the code has."""

import re
from dataclasses import fields
from typing import get_args

import pytest

import nas
import trainers
from nas.bundles.read import FILES, MORE_FILES
from nas.core.budgets.spending import Reason
from nas.core.failure import TRANSIENT, Cause
from nas.runs.control.confirmation import Candidate, Confirmation
from nas.runs.control.ending import Ending
from nas.runs.control.energy import RunEnergy
from nas.runs.control.gate import Baseline, Gate
from nas.runs.control.preparation import RelaxedRecord
from nas.runs.control.supernet import SupernetFacts
from nas.runs.header import Header
from nas.runs.options import OPTIONS
from nas.runs.upgrade import SCHEMA
from nas.schedules import SCHEDULES
from nas.strategies import STRATEGIES
from scripts import reference_pages
from scripts.structure import ROOT
from search_spaces.registry import SPACES
from tests.nas.core.trials import scored

FOLDER = ROOT / "docs" / "reference"
EXPORTED = {
    "nas": {*nas.MODULE_OF},
    "search_spaces": set(
        re.findall(r" as (\w+)$", (ROOT / "search_spaces/__init__.py").read_text(), re.M)
    ),
    "trainers": {*trainers.MODULE_OF},
    "nas.testing": {f"check_{contract}" for contract in nas.testing.CONTRACTS},
}


def sections(page):
    """The text below each heading of a page, by the heading without its signs."""
    parts = re.split(r"^#+ (.*)$", (FOLDER / page).read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def first_column(text):
    """The names in the first column of the tables of a text."""
    return [
        name
        for row in re.findall(r"^\| (`.*?) \|", text, re.M)
        for name in re.findall(r"`(.*?)`", row)
    ]


def names(cls):
    return [field.name for field in fields(cls)]


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("run.json", ["schema", *names(Header)]),
        ("trials.jsonl", list(scored(0).to_dict())),
        ("ended.json", names(Ending)),
        ("confirmation.json", names(Confirmation) + names(Candidate)),
        ("gate.json", names(Gate) + names(Baseline)),
        ("energy.json", names(RunEnergy)),
        ("strategy/operations.json", [*names(RelaxedRecord), "sha256"]),
        ("evaluator/supernet.json", names(SupernetFacts)),
    ],
)
def test_the_fields_of_each_file_are_described(file, wanted):
    assert sorted(first_column(sections("files.md")[file])) == sorted(wanted)


def test_the_files_of_a_bundle_and_the_schema_are_named():
    described = sections("files.md")
    wanted = {"manifest.json", *FILES, *MORE_FILES}
    assert set(first_column(described["The folder of a bundle"])) == wanted
    assert f"Schema {SCHEMA}." in described["run.json"]


def test_causes_and_reasons_are_described():
    described = sections("errors.md")
    causes = described["Causes of failed trials"]
    assert first_column(causes) == list(get_args(Cause))
    assert set(re.findall(r"^\| `(.*?)` .* yes \|$", causes, re.M)) == TRANSIENT
    assert first_column(described["Reasons for which a search ends"]) == list(get_args(Reason))


@pytest.mark.parametrize("package", EXPORTED)
def test_every_exported_name_has_a_page(package):
    pages = "".join(file.read_text() for file in (FOLDER / "api").glob("*.md"))
    documented = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)", pages, re.M)}
    assert EXPORTED[package] <= documented


def test_generated_pages_have_every_option_setting_and_name():
    command_line = reference_pages.commands()
    flags = [part for o in OPTIONS.values() for part in o.flag.split("/") if part.strip()]
    assert all(re.search(rf"[` ]{flag.strip()}[` ]", command_line) for flag in flags)
    spaces = reference_pages.spaces()
    assert re.findall(r"^## (\w+)", spaces, re.M) == list(SPACES)
    for registry, option in [(STRATEGIES, "--strategy"), (SCHEDULES, "--schedule")]:
        page = reference_pages.entries("Title", "Intro", registry, option)
        assert re.findall(r"^## (\w+)", page, re.M) == list(registry.own)
    assert "| `accuracy` |" in reference_pages.metrics()


def test_every_file_of_a_run_is_named():
    """Each constant FILE and FOLDER of the modules that write to the folder of a run."""
    pattern = r'^(?:\w+_)?(?:FILE|FOLDER) = "([^"]+)"'
    paths = [
        path
        for room in ("engine", "estimators", "evaluators", "runs", "analysis")
        for path in (ROOT / "nas" / room).rglob("*.py")
    ]
    written = {n for path in paths for n in re.findall(pattern, path.read_text(), re.M)}
    described = (FOLDER / "files.md").read_text()
    assert len(written) > 10
    assert [name for name in sorted(written) if name not in described] == []
