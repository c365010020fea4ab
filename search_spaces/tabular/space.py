"""Networks for vectors and rows of tables: from a linear model to embedded, residual perceptrons.

Inputs are the numeric columns and then 0/1 indicators (`Task.numeric`). The decisions follow
RealMLP: Holzmüller et al., "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular
Data", NeurIPS 2024, https://arxiv.org/abs/2407.04491 (learned scaling of the features, periodic
embeddings, activation); and Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data",
NeurIPS 2021, Section 3.2, https://arxiv.org/abs/2106.11959 (residual blocks), "On Embeddings for
Numerical Features in Tabular Deep Learning", NeurIPS 2022, Section 3.3,
https://arxiv.org/abs/2203.05556, and "TabM: Advancing Tabular Deep Learning with
Parameter-Efficient Ensembling", ICLR 2025, https://arxiv.org/abs/2410.24210 (an ensemble that
shares all hidden weights; here its members are trained on their mean output, not each by itself);
and Rahimi & Recht, "Random Features for Large-Scale Kernel Machines", NeurIPS 2007 (cosines of random
directions, in place of a support vector machine), or the kernel machine itself (`kernel`).
RealMLP's parametrisation (NTK), its learned activations and its dropout in every layer are left out.

Tables are small: 16 features in a layer suffice for a few hundred rows, and a linear model is a
member. `space(max_width=..., max_depth=...)` keeps the networks small; `default_for` has a default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from search_spaces.tabular.cost import count, numeric_columns
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Struct
from search_spaces.tree.extended import Extended
from search_spaces.tree.values import Record, Value

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (16, 32, 64, 128, 256, 512)
WIDEST = 1024  # accepted, not searched: scikit-learn's 100, RealMLP's 256 in a narrower space
MEMBERS = 8  # of an ensemble
KERNELS = ("gaussian", "matern", "exponential")  # of similarities, from smooth to rough
CENTERS = (128, 512, 1024, 2048)


def space(max_width: int = 256, max_depth: int = 4) -> SearchSpace:
    """A linear model, or 1 to `max_depth` hidden layers or residual blocks of one width.

    `embedding` is that of the numeric columns: "pbld", "pbld_fine" (five times the frequencies) or
    "plr" (see `network`), or "none"; or that of all columns together: "fourier", which makes a linear
    model one of a Gaussian kernel.
    `scaling` multiplies each feature, after its embedding, by a learned factor. `members` is the
    size of an ensemble that shares all hidden weights.

    Accepted, not searched: similarities to rows of the training data in place of hidden layers, `kernel`
    "gaussian", "matern" or "exponential" and 128 to 2,048 `centers`. The built-in training
    solves for such a network in closed form.

    Args:
        max_width: Largest searched width. Range: 16 to 512.
        max_depth: Most hidden layers, or residual blocks of two layers each. Range: 1 to 64.
    """
    if not 16 <= max_width <= 512:
        raise ValueError(f"want 16 <= max_width <= 512, got {max_width}")
    if not 1 <= max_depth <= 64:
        raise ValueError(f"want 1 <= max_depth <= 64, got {max_depth}")
    widths = tuple(width for width in WIDTHS if width <= max_width)
    hidden = Struct(
        depth=Integer(1, max_depth),
        width=Extended(Choice(*widths), Integer(1, WIDEST), lambda width: width not in widths),
        residual=Choice(False, True),
        activation=Choice("relu", "selu", "mish"),
        norm=Choice("none", "batch", "layer"),
        members=Choice(1, MEMBERS),
    )
    radial = Struct(kernel=Choice(*KERNELS), centers=Choice(*CENTERS))
    return SearchSpace(
        name="tabular",
        tree=Struct(
            embedding=Choice("none", "pbld", "plr", "fourier", "pbld_fine"),
            scaling=Choice(False, True),
            hidden=Extended(Choice("none", hidden), radial, _is_radial),
        ),
        build=build,
        inputs=(1,),
        source="Holzmüller et al., NeurIPS 2024; Gorishniy et al., NeurIPS 2021 and 2022",
        settings={"max_width": max_width, "max_depth": max_depth},
        published={name: value for name, (depth, value) in KNOWN.items() if depth <= max_depth},
        count=count,
    )


def _is_radial(value: Value) -> bool:
    return isinstance(value, Record) and "kernel" in value


def default_for(rows: int) -> str:
    """The space for a table with so many rows, as `search_spaces.load` reads it.

    Few rows need no wide layers, which take longer to train.
    """
    return "tabular:max_width=128" if rows < 10_000 else "tabular"


def _known(depth: int, **decisions: Any) -> tuple[int, dict[str, Any]]:
    hidden: Any = "none"
    if depth:
        plain = {
            "width": 100,
            "residual": False,
            "activation": "relu",
            "norm": "none",
            "members": 1,
        }
        own = {key: decisions.pop(key) for key in plain.keys() & decisions.keys()}
        hidden = {"depth": depth, **plain, **own}
    return depth, {"embedding": "none", "scaling": False, "hidden": hidden, **decisions}


_REALMLP: dict[str, Any] = {"embedding": "pbld", "scaling": True, "width": 256}

# Depth and value. `mlp` is the default of scikit-learn's MLPClassifier and MLPRegressor; RealMLP has
# another activation for classification than for regression.
KNOWN: dict[str, tuple[int, dict[str, Any]]] = {
    "linear": _known(0),
    "mlp": _known(1),
    "realmlp": _known(3, activation="selu", **_REALMLP),
    "realmlp_regression": _known(3, activation="mish", **_REALMLP),
}


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Embedding, scaling, hidden layers or residual blocks, output layer."""
    from search_spaces.tabular.network import tabular

    hidden = architecture["hidden"]
    return tabular(
        columns=task.input_shape[0],
        numeric=numeric_columns(task),
        outputs=task.outputs,
        embedding=architecture["embedding"],
        scaling=architecture["scaling"],
        hidden=None if hidden == "none" else hidden,
    )
