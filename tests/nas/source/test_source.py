"""model.py: its outputs, its text, and the networks that cannot be written."""

import subprocess
import sys
import types
from pathlib import Path
from random import Random

import pytest
import torch

import search_spaces
from nas.bundles.model_file import model_file
from nas.source.expressions import SourceError
from search_spaces import SPACES, Task
from tests.nas.networks import sampled, small, task_of, unwritten

DATA = Path(__file__).parents[1] / "data" / "models"
ROOT = Path(__file__).parents[3]
MOST_LINES = 220


def module_of(text):
    module = types.ModuleType("written")
    exec(compile(text, "model.py", "exec"), module.__dict__)  # noqa: S102 - what users do with it
    return module


def check_same(space, architecture, task, text):
    """Exactly the same names of weights, and bit for bit the same logits, norms included."""
    net = space.compile(architecture, task).eval()
    for name, buffer in net.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    model = module_of(text).Model().eval()
    model.load_state_dict(net.state_dict())
    x = torch.randn(2, *task.input_shape)
    with torch.inference_mode():
        assert torch.equal(model(x), net(x))
        assert module_of(text).Model(outputs=3).eval()(x).shape[:2] == (2, 3)


def is_formatted(files):
    ruff = Path(sys.executable).with_name("ruff")
    command = [ruff, "format", "--check", "--diff", "--isolated", "--line-length", "100", *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[:2000]


@pytest.mark.parametrize("name", SPACES)
def test_model_py_computes_the_same_and_is_short_and_formatted(name, tmp_path):
    for seed in (1, 2):
        space, architecture, task = sampled(name, seed)
        text = model_file(unwritten(space, architecture, task))
        assert text.count("\n") <= MOST_LINES
        imports = [line for line in text.splitlines() if line.startswith(("import", "from"))]
        assert {line.split()[1].split(".")[0] for line in imports} <= {
            "torch",
            *sys.stdlib_module_names,
        }
        check_same(space, architecture, task, text)
        (tmp_path / f"{seed}.py").write_text(text)
    is_formatted(tmp_path.iterdir())


@pytest.mark.parametrize("name", SPACES)
def test_golden_model_py(name):
    """If this fails, bundles read differently: look at the difference, then update the file."""
    text = model_file(unwritten(*sampled(name)))
    assert text == (DATA / f"{name}.py").read_text()


@pytest.mark.long
@pytest.mark.parametrize("name", SPACES)
def test_every_known_network_and_twenty_random_ones(name, tmp_path):
    space, rng = search_spaces.get(name), Random(7)
    shapes = {1: [(5,)], 2: [(3, 64), (1, 33)], 3: [(1, 8, 8), (3, 33, 47), (3, 224, 224)]}
    shapes = shapes[space.inputs[-1]]
    found = [small(space, rng, task_of(space)) for _ in range(20)] + list(space.known.values())
    for number, architecture in enumerate(found):
        task = Task(shapes[number % len(shapes)], 10, dense=space.dense)
        text = model_file(unwritten(space, architecture, task))
        assert text.count("\n") <= MOST_LINES, architecture
        (tmp_path / f"{number}.py").write_text(text)
        if space.cost(architecture, task).macs < 2e9:
            check_same(space, architecture, task, text)
        else:  # too long to run: names and shapes
            with torch.device("meta"):
                theirs = space.compile(architecture, task).state_dict()
                own = module_of(text).Model().state_dict()
            assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in theirs.items()}
    is_formatted(tmp_path.iterdir())


@pytest.mark.parametrize(
    "settings",
    ["darts:channels=4,layers=3,auxiliary=True", "vit:per_block=True", "mobile:width=0.5"],
)
def test_other_settings_of_a_space(settings):
    space = search_spaces.load(settings)
    task = Task((3, 32, 32), 4)
    architecture = small(space, Random(3), task)
    check_same(space, architecture, task, model_file(unwritten(space, architecture, task)))


OWN = '''
import torch
{imports}
from torch import nn
from search_spaces import Choice, SearchSpace, Struct

ACTIVATIONS = {{"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}}
SCALE = 0.5


def scaled(x):
    return SCALE * x


class Block(nn.Module):
    """A block."""

    def __init__(self, width, activation="relu", shortcut=True):
        super().__init__()
        self.layer = nn.Linear(width, width)
        self.activation = ACTIVATIONS[activation]()
        self.shortcut = shortcut
        self.register_buffer("offset", torch.zeros(width))

    def forward(self, x):
        y = scaled(self.activation(self.layer(x + self.offset)))
        {body}
        return x + y if self.shortcut else y


class Scaled(nn.Module):
    """A module with variadic arguments."""

    def __init__(self, *factors):
        super().__init__()
        self.factor = sum(factors)

    def forward(self, x):
        return x * self.factor


class Mixed(nn.Module):
    """A module that uses some layers once and some twice."""

    def __init__(self, encoding, width):
        super().__init__()
        self.encoding = encoding
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in encoding)

    def forward(self, x):
        for layer, (name, number) in zip(self.layers, self.encoding):
            x = layer(x) if name == "once" else layer(layer(x)) * number
        return x


def build(architecture, task):
    width = architecture["width"]
    encoding = [("once", 1), (architecture["name"], 2)]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(task.input_shape[0], width), Block(width, "gelu"),
        Mixed(encoding, width), Scaled(2, 0.5), Block(width, "gelu", False), nn.Linear(width, task.outputs),
    )


space = SearchSpace(
    name="own", tree=Struct(width=Choice(4, 8), name=Choice("once", "twice")), build=build,
    inputs=(1,),
)
'''


def own(tmp_path, name, imports="", body="pass"):
    file = tmp_path / f"{name}.py"
    file.write_text(OWN.format(imports=imports, body=body))
    return search_spaces.load(f"{file}:space")


def test_a_space_of_the_users_own(tmp_path):
    space = own(tmp_path, "own_a")
    for architecture in space:
        task = Task((5,), 3)
        text = model_file(unwritten(space, architecture, task))
        check_same(space, architecture, task, text)
        assert "encoding" not in text
        assert "nn.Tanh" not in text
    space = search_spaces.load(f"{ROOT / 'scripts' / 'own_space.py'}:space")
    architecture, task = space.sample(Random(0)), Task((3, 8, 8), 3)
    check_same(space, architecture, task, model_file(unwritten(space, architecture, task)))


def test_what_cannot_be_written_is_said_in_one_line(tmp_path):
    space = own(tmp_path, "own_b", "import numpy as np", "y = y * float(np.pi)")
    architecture = space.sample(Random(0))
    with pytest.raises(SourceError, match=r"it uses numpy, and model\.py may use torch only") as e:
        model_file(unwritten(space, architecture, Task((5,), 3)))
    assert "\n" not in str(e.value)


def test_long_numbers_are_read_from_the_bundle():
    space = search_spaces.get("mlp")
    task = Task((300,), 3)
    text = model_file(unwritten(space, small(space, Random(0), task), task))
    assert text.count("\n") < 100
    assert 'with_name("architecture.json")' in text


def test_an_ensemble_has_each_class_once_equal_members_in_one_line_and_no_temperature_at_first(
    tmp_path,
):
    member = search_spaces.get("nasbench201", channels=4, cells=1)
    space, task = search_spaces.ensemble_of(member), Task((3, 8, 8), 3)
    values = [member.known["resnet"].value, member.sample(Random(0)).value]
    parts = [{"count": 1 + n, "architecture": v} for n, v in enumerate(values) for _ in range(4)]
    architecture = space.architecture({"mean": "probabilities", "members": parts})
    text = model_file(unwritten(space, architecture, task))
    check_same(space, architecture, task, text)
    classes = [line for line in text.splitlines() if line.startswith("class ")]
    assert len(set(classes)) == len(classes) <= 8
    assert text.count("for _ in range(4)") == 2
    model = module_of(text).Model()
    assert model.temperature == 1
    assert model.temperatures.tolist() == [1] * 8
    assert list(model.state_dict()) == list(space.compile(architecture, task).state_dict())
    (tmp_path / "ensemble.py").write_text(text)
    is_formatted(tmp_path.iterdir())
