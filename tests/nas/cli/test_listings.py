"""Listings of strategies, schedules, spaces, metrics, tasks, proxies and executors, and their settings."""

import json
import re
import subprocess
import sys

import pytest

from nas.cli.listings.settings import arguments, settings_of
from nas.cli.main import main
from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS, PROXIES
from nas.core.objectives import Objectives
from nas.executors import EXECUTORS
from nas.schedules import SCHEDULES
from nas.strategies import STRATEGIES
from nas.testing.searches import TASK, TINY
from search_spaces.registry import SPACES, factory_of, get

LISTS = ("spaces", "strategies", "schedules", "metrics", "tasks", "proxies", "executors")
RECIPE_EPOCHS = 100


@pytest.fixture
def nas(capfd, monkeypatch, tmp_path):
    """Run the command in this process and in an empty folder; (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        said = capfd.readouterr()
        return end.value.code, said.out, said.err

    return run


def of_strategy(name, **settings):
    candidates = Candidates(JointSpace(get("nasbench201"), TASK))
    return STRATEGIES.load(name)(candidates, Objectives.parse(("accuracy",)), **settings)


def of_schedule(name, **settings):
    candidates, objectives = Candidates(JointSpace(TINY, TASK)), Objectives.parse(("accuracy",))
    return SCHEDULES.load(name)(None, candidates, objectives, RECIPE_EPOCHS, **settings)


MAKERS = {  # by kind and name: the class or factory, and a function that makes one with settings
    **{("strategy", n): (STRATEGIES.load(n), of_strategy) for n in STRATEGIES.own},
    **{("schedule", n): (SCHEDULES.load(n), of_schedule) for n in SCHEDULES.own},
    **{("space", n): (factory_of(n), get) for n in SPACES},
}
SETTINGS = [(*key, s) for key, (factory, _) in MAKERS.items() for s in settings_of(factory)]
NUMBER = r"(\d+(?:\.\d+)?)"


@pytest.mark.parametrize(("kind", "name", "setting"), SETTINGS, ids=lambda v: getattr(v, "name", v))
def test_every_setting_is_described_and_its_range_is_enforced(kind, name, setting):
    """Both ends of a range of numbers are accepted, and a value beyond either is refused."""
    assert setting.meaning.endswith(".")
    assert setting.range
    assert setting.default == "" or str(setting.default)
    if setting.type not in ("int", "float"):
        return
    low, high = (
        re.match(rf"(?:above )?{NUMBER}", setting.range),
        re.search(rf"to {NUMBER}$", setting.range),
    )
    step = 1 if setting.type == "int" else 0.001
    kind_of = int if setting.type == "int" else float
    make = MAKERS[kind, name][1]
    if low is not None and setting.range != "0, or enough for one to reach the last rung":
        least = kind_of(float(low[1]))
        make(name, **{setting.name: least + (step if setting.range.startswith("above") else 0)})
        with pytest.raises(ValueError, match="want"):
            make(name, **{setting.name: least - step})
    if high is not None:
        most = kind_of(float(high[1]))
        make(name, **{setting.name: most})
        with pytest.raises(ValueError, match="want"):
            make(name, **{setting.name: most + step})


def test_settings_are_read_from_a_docstring():
    def factory(space, *, size: int = 3, exact: bool = False, free: str = ""):
        """Make it.

        Args:
            space: The space.
            size: Number of members,
                counted once. Range: 1 or more.
            exact: Count all of them.

        Raises:
            ValueError: never.
        """

    found = {s.name: (s.type, s.default, s.range, s.meaning) for s in settings_of(factory)}
    assert found == {
        "size": ("int", 3, "1 or more", "Number of members, counted once."),
        "exact": ("bool", False, "true or false", "Count all of them."),
        "free": ("str", "", "", ""),
    }
    assert arguments("No section.") == {}


@pytest.mark.parametrize("command", LISTS)
def test_a_listing_fits_and_is_json_too(nas, command):
    status, out, err = nas(command)
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    documents = json.loads(nas(command, "--json")[1])
    assert all(document["name"] in out for document in documents)
    for document in documents if command in ("spaces", "strategies", "schedules") else []:
        assert all(f"  {s['name']}={s['default']}" in out for s in document["settings"])


@pytest.mark.parametrize("command", LISTS[1:])
def test_one_of_a_listing_is_described(nas, command):
    names = [document["name"] for document in json.loads(nas(command, "--json")[1])]
    assert json.loads(nas(command, names[-1], "--json")[1])["name"] == names[-1]
    status, out, _ = nas(command, names[-1])
    assert status == 0
    assert names[-1] in out
    assert all(len(line) <= 80 or "http" in line for line in out.splitlines())
    status, _, err = nas(command, "nothing")
    assert status == 2
    assert err.startswith("nas: want a")


def test_listings_have_the_names_of_the_registries(nas):
    for command, registry in [
        ("strategies", STRATEGIES),
        ("schedules", SCHEDULES),
        ("executors", EXECUTORS),
        ("metrics", METRICS),
    ]:
        assert [one["name"] for one in json.loads(nas(command, "--json")[1])] == list(registry)
    scores = [score for one in json.loads(nas("proxies", "--json")[1]) for score in one["scores"]]
    assert scores == list(PROXIES)


def test_every_metric_says_what_it_is_and_which_tasks_have_it():
    from trainers.tasks import registry

    assert all(metric.meaning.endswith(".") for metric in METRICS.values())
    for task in registry.TASKS:
        having = {name for name, metric in METRICS.items() if task in metric.sources}
        assert having == set(registry.metrics_of(task))


def test_listings_but_that_of_tasks_do_not_import_torch():
    commands = [name for name in LISTS if name != "tasks"]
    code = (
        "import sys\nimport nas.cli.main\n"
        f"for command in {commands}:\n"
        "    try: nas.cli.main.main([command])\n"
        "    except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
