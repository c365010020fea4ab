"""One schema of settings: the command, the API, run.json and the command that repeats a run."""

import inspect
import json
import re
import shlex
from dataclasses import fields
from unittest import mock

import pytest
import typer.main
from hypothesis import given, settings
from hypothesis import strategies as st

import nas
from nas.api import read_request
from nas.cli.main import app
from nas.core import hyperparameters
from nas.core.metrics import METRICS, Metric
from nas.runs import options
from nas.runs.header import Header, environment, read_header, write_header
from nas.runs.option import Option
from nas.runs.settings import TASKS, Settings
from nas.schedules import SCHEDULES
from nas.strategies import STRATEGIES
from nas.views.html import reproduction
from scripts.search_signature import API, replaced
from search_spaces import Choice, Real, Struct, Task
from trainers import Recipe
from trainers.data.reading import LAYOUTS
from trainers.data.targets import TASK_NAMES, of_classes
from trainers.recipes.recipe import NUMBERS, WORDS

LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=30)
WHOLE = st.integers(-(2**63 - 1), 2**63 - 1)
LIMIT = st.none() | st.integers(1, 2**63 - 1)


def given_by(names):
    """Lists of some of these names, each once and in any order."""
    return st.lists(st.sampled_from(sorted(names)), unique=True)


def numbers(allowed):
    return st.floats(0, 2, allow_nan=False).filter(allowed) | st.integers(0, 2).filter(allowed)


FIELDS = {
    "epochs": st.integers(1, 5_000),
    "batch_size": st.integers(2, 10_000),
    "nesterov": st.booleans(),
    "deterministic": st.booleans(),
    **{name: st.sampled_from(words) for name, words in WORDS.items()},
    **{name: numbers(allowed) for name, (_, allowed) in NUMBERS.items()},
}
DRAWN = {
    "space": LINE,
    "data": LINE,
    "data_seed": WHOLE,
    "target": st.none() | LINE,
    "sample_weight": st.none() | LINE,
    "image_size": LIMIT,
    "flip": st.none() | st.booleans(),
    "layout": st.none() | st.sampled_from(LAYOUTS),
    "strategy": st.sampled_from([*STRATEGIES, "evolution:population=8,tournament=3"]),
    "schedule": st.sampled_from([*SCHEDULES, "asha:eta=3,min_epochs=1", "asha:rungs=2+5"]),
    "seed": WHOLE,
    "objectives": given_by(METRICS).filter(len).map(tuple),
    "max_parameters": LIMIT,
    "max_macs": LIMIT,
    "baselines": st.booleans(),
    "warm_start": st.lists(
        st.builds(lambda s, n: f'{s}:{{"hidden":[{n}]}}', st.sampled_from(["mlp", "vit"]), WHOLE),
        unique=True,
        max_size=3,
    ).map(tuple),
    "learn_from": st.sampled_from([(), ("auto",), ("runs/a", "/runs/b")]),
    "dead_parts": st.sampled_from([None, True, False]),
    "device_profile": st.sampled_from([None, "/profiles/pi5.json"]),
    "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:1"]),
    "threads": st.integers(1, 1_024),
    "latency_batch": st.integers(1, 65_536),
    "latency_backend": st.sampled_from(["torch", "onnxruntime", "cuda-graph"]),
    "max_pending": st.integers(1, 1_000_000),
    "ordered": st.booleans(),
    "limits": given_by(["accuracy>=0.5", "parameters<=5000", "peak_activation_bytes<=9"]).map(
        tuple
    ),
    "estimators": st.sampled_from([(), ("mine.py:latency", "package.module:energy")]),
    "folds": st.sampled_from([0, 2, 5, 1_000]),
    "task": st.sampled_from(["auto", "regression"]),
    "loss": st.sampled_from(["default", "mine.py:focal", "package.module:focal"]),
    "metric": st.sampled_from([(), ("mine.py:f_beta", "package.module:kappa")]),
    "evaluator": st.sampled_from(["training", "mine.py:train", "package.module:train"]),
}


@st.composite
def all_settings(draw):
    """Settings over the whole schema, half of the fields with their defaults."""
    assert {*DRAWN, "recipe", "tune"} == {field.name for field in fields(Settings)}
    recipe = draw(st.fixed_dictionaries({}, optional=FIELDS))
    tune = [name for name in draw(given_by(hyperparameters.NAMES)) if name not in recipe]
    found = draw(st.fixed_dictionaries({}, optional=DRAWN))
    if "optimizer" not in tune and recipe.get("optimizer") == "adamw":
        tune = [name for name in tune if name != "momentum"]
    if found.get("evaluator", "training") != "training":  # it has hyperparameters of its own
        recipe, tune = {k: v for k, v in recipe.items() if k == "epochs"}, []
        found = {name: value for name, value in found.items() if name not in ("loss", "metric")}
    if found.get("evaluator", "training") != "training" or found.get("schedule", "none") != "none":
        found.pop(
            "folds", None
        )  # cross-validation is for whole trainings of the built-in evaluator
    names = hyperparameters.parse_names(",".join(tune))
    return Settings(**found, recipe=recipe, tune=names)


def parsed(line):
    """The request that the real command makes of a line, without running the search."""
    assert line[:2] == ["nas", "search"]
    command = typer.main.get_command(app).commands["search"]
    context = command.make_context("search", list(line[2:]))
    given = {name: value for name, value in context.params.items() if name not in ("json", "plan")}
    return read_request(given, lambda option: option.flag)


@given(all_settings())
@settings(max_examples=100, deadline=None)
def test_the_command_of_the_report_gives_the_settings_of_the_run(drawn):
    run = mock.Mock(settings=drawn, trials=[None] * 7)
    run.path.name = "out"
    request = parsed(shlex.split(reproduction.command(run)))
    assert request.settings == drawn
    assert (request.trials, str(request.path)) == (7, "out")


@given(all_settings())
@settings(max_examples=100, deadline=None)
def test_run_json_and_the_api_give_the_settings_back(drawn):
    assert Settings.from_dict(json.loads(json.dumps(drawn.to_dict()))) == drawn
    given = {
        option.keyword: getattr(drawn, field)
        for field, option in options.SETTINGS.items()
        if field != "recipe"
    }
    assert read_request({**given, "recipe": drawn.recipe}).settings == drawn


def test_every_option_is_a_keyword_and_every_keyword_an_option():
    command = typer.main.get_command(app).commands["search"]
    assert {p.name for p in command.params} - {"json", "plan", "help"} == options.OPTIONS.keys()
    signature = inspect.signature(nas.search)
    assert signature.parameters.keys() - {"observers"} == options.OPTIONS.keys()
    for keyword, option in options.OPTIONS.items():
        if keyword != "recipe":
            default = None if option.late or isinstance(option.default, dict) else option.default
            assert signature.parameters[keyword].default == default


def test_the_tasks_are_those_of_the_data():
    assert TASKS == TASK_NAMES


def test_the_words_of_a_layout_are_those_of_the_readers():
    for layout in LAYOUTS:
        assert read_request({"layout": layout.lower()}).settings.layout == layout
    with pytest.raises(ValueError, match=f"^layout: want one of {', '.join(LAYOUTS)}"):
        read_request({"layout": "CHW"})


def test_the_signature_of_search_is_that_of_the_schema():
    source = API.read_text()
    assert source == replaced(source), "run python scripts/search_signature.py"


def test_every_setting_stands_in_run_json(tmp_path):
    data = {
        "name": "d",
        "fingerprint": "-",
        "targets": of_classes(("a",)).to_dict(),
        "input_shape": [1],
        "examples": {},
    }
    data |= {"mean": [], "std": [], "flip": False}
    written = Header(
        settings=Settings(),
        data=data,
        task=Task((1,), 1),
        metrics=(METRICS["accuracy"], METRICS["parameters"], Metric("f1", low=0, unit="%")),
        hyperparameters=Struct(lr=Real(1e-4, 1, log=True), optimizer=Choice("sgd", "adamw")),
        code={"evaluator": "0" * 64},
        hypervolume_reference={"parameters": 10},
        made=environment("cpu"),
    )
    write_header(tmp_path, written)
    document = json.loads((tmp_path / "run.json").read_text())
    assert document["settings"].keys() == options.SETTINGS.keys()
    assert options.SETTINGS.keys() == {field.name for field in fields(Settings)}
    assert read_header(tmp_path).to_dict() == written.to_dict()


def test_defaults_that_a_help_text_names_are_those_of_the_recipe():
    for name, option in options.RECIPE.items():
        (said,) = re.findall(r"Default: ([\w.]*\w)", option.help)
        assert said == str(getattr(Recipe(), name))


def test_defaults_are_the_same_everywhere():
    assert read_request({}) == parsed(["nas", "search"]) == read_request(defaults())
    assert read_request({}).settings == Settings(space="auto", objectives=())


def defaults():
    parameters = inspect.signature(nas.search).parameters.values()
    options = [p for p in parameters if p.name != "observers"]
    return {p.name: p.default for p in options if p.default is not p.empty}


def test_resources_are_read_alike_from_texts_and_values():
    words = "--workers 3 --trial-timeout 2.5 --trial-memory 2GB --resources CPU=1,GPU=0.5"
    line = ["nas", "search", *words.split(), "--executor", "workers", "--address", "auto"]
    request = read_request(
        {
            "workers": 3,
            "trial_timeout": 2.5,
            "trial_memory": 2 * 10**9,
            "resources": {"CPU": 1.0, "GPU": 0.5},
            "executor": "workers",
            "address": "auto",
        }
    )
    assert parsed(line) == request
    assert parsed(["nas", "search", "--workers", "auto"]).limits.auto


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"trials": 0}, "^trials: want 1 to 1,000,000,000, got 0"),
        ({"trials": 2.5}, "^trials: want 1 to 1,000,000,000, got 2.5"),
        ({"trial_memory": "much"}, "^trial_memory: want a size such as 500MB or 2GB, got 'much'"),
        ({"resources": "GPU"}, "^resources: want amounts such as CPU=1,GPU=0.5, got 'GPU'"),
        ({"workers": 2.5}, "^workers: want a number or auto, got 2.5"),
        ({"seed": "x"}, "^seed: want a whole number"),
        ({"ordered": 1}, "^ordered: want true or false, got 1"),
        ({"objectives": 3}, "^objectives: want names, got 3"),
        ({"tune": ["weather"]}, "^tune: want all, or some of"),
        ({"warm_start": "nowhere"}, "^want the folder of a run, got nowhere"),
        ({"warm_start": "mlp:{"}, "^architecture of mlp: want JSON"),
    ],
)
def test_keywords_are_checked(keywords, message):
    with pytest.raises(ValueError, match=message) as error:
        read_request(keywords)
    assert "\n" not in str(error.value)


def test_the_warm_start_of_a_run_and_a_bundle_goes_first(tmp_path):
    small = {"space": "mlp", "max_params": 50_000, "epochs": 1, "batch_size": 256}
    first = nas.search(**small, trials=3, seed=5, out=tmp_path / "first")
    first.export(first.best(), tmp_path / "winner")
    sources = [tmp_path / "winner", tmp_path / "first"]
    again = nas.search(**small, trials=2, warm_start=sources, out=tmp_path / "again")
    assert again.trials[0].architecture == first.best().architecture
    front = {str(t.architecture) for t in first.front}
    assert set(again.settings.warm_start) == front
    texts = list(again.settings.warm_start)
    longer = nas.search(**small, trials=3, warm_start=texts, out=tmp_path / "again")
    assert longer.trials[:2] == again.trials


def test_a_new_setting_is_declared_once():
    """The declaration gives it a flag, a keyword, a form on the command line and a default."""
    option = options.SETTINGS["max_parameters"]
    assert isinstance(option, Option)
    assert (option.keyword, option.flag) == ("max_params", "--max-params")
    assert option.words(5) == ["--max-params", "5"]
    assert option.words(None) == []
    assert options.SETTINGS["ordered"].words(False) == ["--unordered"]
    assert options.SETTINGS["seed"].words(-1) == ["--seed=-1"]
