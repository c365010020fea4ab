"""Zero-cost proxies that were measured before, looked up for the searches of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from nas.core.configuration import Configuration
from nas.estimators import proxies
from nas.evaluators.table import Table

MOST = 64  # configurations a proposal, as in a search whose trainings are long


class ProxyTable:
    """Look up zero-cost proxies in the columns of a table that are named like them.

    An architecture that is not in the table has the scores of one of equal function. A table may leave
    architectures out, and entries empty: those scores are missing.

    Args:
        table: The table; `scripts/proxy_ranking.py` writes one.

    Raises:
        ValueError: no column is named like a proxy.
    """

    most = MOST

    def __init__(self, table: Table) -> None:
        known = proxies.parse("all")
        self._columns = {name: table.column(name, gaps=True) for name in known if name in table}
        if not self._columns:
            raise ValueError(f"{table.path}: want a column of proxies ({', '.join(known)})")
        self._path = table.path
        self._space = table.space
        self._rows = {self._space.canonical(a): row for row, a in enumerate(table.architectures)}

    def names(self, text: str) -> tuple[str, ...]:
        """Return the proxies that a text names, which must be columns of the table."""
        names = proxies.parse(text)
        missing = [name for name in names if name not in self._columns]
        if missing:
            have = ", ".join(self._columns)
            raise ValueError(f"proxies: want columns of {self._path} ({have}), got {missing[0]!r}")
        return names

    def scores(self, configuration: Configuration, names: tuple[str, ...]) -> Mapping[str, float]:
        """Return the scores of a configuration by proxy; those that are missing are left out."""
        row = self._rows.get(self._space.canonical(configuration.architecture))
        if row is None:
            return {}
        found = {name: float(self._columns[name][row]) for name in names}
        return {name: score for name, score in found.items() if isfinite(score)}
