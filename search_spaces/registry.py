"""Search spaces by name, and from files of the user's own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

from search_spaces import notation, user_files
from search_spaces.ensemble.space import ensemble_of
from search_spaces.plugins import Plugin, plugins
from search_spaces.reference import SpaceReference
from search_spaces.space import SearchSpace
from search_spaces.tree import Choice, Struct
from search_spaces.tree.values import Value

NONE = "none"  # the space with one architecture that is empty, to search hyperparameters alone
GROUP = "nas.spaces"  # group of entry points; each is a factory `space(**settings)`

# name -> module with a factory called `space`; loaded when asked for.
SPACES: dict[str, str] = {
    "nasbench201": "search_spaces.nasbench201.space",
    "nasbench101": "search_spaces.nasbench101.space",
    "nats_size": "search_spaces.nats_size.space",
    "darts": "search_spaces.darts.space",
    "mobile": "search_spaces.mobile.space",
    "ofa": "search_spaces.ofa.space",
    "resnet": "search_spaces.resnet.space",
    "regnet": "search_spaces.regnet.space",
    "convnext": "search_spaces.convnext.space",
    "vit": "search_spaces.vit.space",
    "mlp": "search_spaces.mlp.space",
    "conv1d": "search_spaces.conv1d.space",
    "tabular": "search_spaces.tabular.space",
    "unet": "search_spaces.unet.space",
}


def names() -> list[str]:
    """The names of all spaces: those of the toolkit, then those of other packages."""
    return [*SPACES, *sorted(plugins(GROUP).keys() - SPACES.keys())]


def plugin_of(name: str) -> Plugin | None:
    """The package that offers a space; None for one of the toolkit, or for no space at all."""
    return None if name in SPACES else plugins(GROUP).get(name)


def factory_of(name: str) -> Callable[..., SearchSpace]:
    """The function that makes the registered space called `name`; its arguments are the settings.

    Raises:
        ValueError: there is no such space, or its package is broken.
    """
    plugin = plugin_of(name)
    if plugin is not None:
        loaded: Callable[..., SearchSpace] = plugin.load()
        return loaded
    if name not in SPACES:
        raise ValueError(
            f"want a search space ({', '.join(names())}, or path/to/file.py:space), "
            f"got {name[:80]!r}{notation.did_you_mean(name, names())}"
        )
    own: Callable[..., SearchSpace] = importlib.import_module(SPACES[name]).space
    return own


def get(name: str, **settings: Any) -> SearchSpace:
    """Make the registered space called `name` with some settings.

    Raises:
        ValueError: there is no such space, it has no such setting, or its package is broken.

    Examples:
        >>> import search_spaces
        >>> space = search_spaces.get("nasbench201", channels=8, cells=1)
        >>> space.size
        15625
        >>> task = search_spaces.Task(input_shape=(3, 32, 32), outputs=10)
        >>> space.cost(space.known["resnet"], task).parameters
        43154
    """
    factory = factory_of(name)
    notation.check(name, factory, settings)
    space = factory(**settings)
    if not isinstance(space, SearchSpace):
        raise ValueError(f"{name}: want a factory of a SearchSpace, got {type(space).__name__}")
    return space


def load(text: str) -> SearchSpace:
    """Load the space of a reference; see `search_spaces.reference`.

    Args:
        text: `name`; `name:setting=value,setting=value`; `path/to/file.py:variable`
            or `package.module:variable`, a `SearchSpace` in code of the user's own, which is run; `fixed:SPACE:ARCHITECTURE`,
            the space with a single architecture, for plain hyperparameter search; `ensemble:SPACE`,
            the ensembles of networks of another of these; or `none`, the space without
            architectures and networks, for an evaluator with hyperparameters alone.

    Raises:
        ValueError: there is no such space; says what was wanted and got.

    Examples:
        >>> import search_spaces
        >>> search_spaces.load("nasbench201:channels=8,cells=1").settings
        {'channels': 8, 'cells': 1}
    """
    if text == NONE:
        return SearchSpace(name=NONE, tree=Struct(), inputs=(1, 2, 3))
    reference = SpaceReference.parse(text)
    if reference.kind == "passed":
        user_files.refuse_passed(text, "search space")
    if reference.file is not None:
        module = user_files.run_file(reference.file, "search space").module
        space = _from_module(module, str(reference.file), reference.variable)
    elif reference.module:
        if reference.module in names():
            notation.parse(text)  # refuses a setting without its value
        module = user_files.import_module(reference.module, "search space")
        space = _from_module(module, reference.module, reference.variable)
    else:
        space = get(reference.name, **dict(reference.settings))
    if reference.architecture is not None:
        space = fixed(space, space.parse(reference.architecture).value)
    return ensemble_of(space) if reference.ensemble else space


def fixed(space: SearchSpace, value: Value) -> SearchSpace:
    """`space` with a single member."""
    return replace(space, tree=Choice(space.tree.check(value)), published={}, relaxation=None)


def _from_module(module: ModuleType, place: str, variable: str) -> SearchSpace:
    space = getattr(module, variable, None)
    if not isinstance(space, SearchSpace):
        found = [name for name, item in vars(module).items() if isinstance(item, SearchSpace)]
        has = f"; it has {', '.join(found)}" if found else ""
        near = notation.did_you_mean(variable, found)
        raise ValueError(f"want a SearchSpace called {variable!r} in {place}, got none{has}{near}")
    return space
