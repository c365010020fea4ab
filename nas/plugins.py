"""The packages of other people that a search uses: what they offer is found by entry points.

The groups are `nas.strategies`, `nas.schedules`, `nas.executors` and `nas.spaces`; see
`search_spaces.plugins`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from nas.core.registry import Registry
from nas.schedules import SCHEDULES
from nas.strategies import STRATEGIES
from search_spaces import notation
from search_spaces.reference import SpaceReference
from search_spaces.registry import plugin_of
from search_spaces.user_files import is_code


def packages_of(*, space: str, strategy: str, schedule: str) -> dict[str, str]:
    """The packages that offer a space, a strategy and a schedule, with their versions.

    Args:
        space: As for `search_spaces.load`.
        strategy: As for `nas.strategies.make`.
        schedule: As for `nas.schedules.make`.
    """
    asked: tuple[tuple[Registry, str], ...] = ((STRATEGIES, strategy), (SCHEDULES, schedule))
    named = [(registry, text) for registry, text in asked if not is_code(text)]
    entries = [registry.get(notation.parse(text)[0]) for registry, text in named]
    found = [entry.plugin for entry in entries if entry is not None]
    found.append(plugin_of(SpaceReference.parse(space).name))
    return {plugin.package: plugin.version for plugin in found if plugin is not None}


def check_installed(packages: Mapping[str, str]) -> None:
    """Refuse a run whose packages are not installed.

    Args:
        packages: Versions of the packages that it was made with, by name.

    Raises:
        ValueError: one is not installed; says which.
    """
    for package, made_with in packages.items():
        try:
            version(package)
        except PackageNotFoundError:
            raise ValueError(
                f"it uses the package {package} {made_with}, which is not installed: "
                f"pip install {package}"
            ) from None
