"""Statements on how a table was understood, as fragments for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trainers.data.sources.labels import listed
from trainers.data.tables.columns import (
    CategoryColumn,
    Column,
    DateColumn,
    FlagColumn,
    NumberColumn,
)
from trainers.data.tables.encoding import Cell
from trainers.data.tables.inference import Inferred

KINDS = {
    NumberColumn: "numbers",
    DateColumn: "dates",
    FlagColumn: "yes/no",
    CategoryColumn: "categories",
}
ODD = {
    "missing": "{} missing values where training had none",
    "unseen": "{} values of unseen categories (such as {!r:.40})",
    "unreadable": "{} values that cannot be read (such as {!r:.40}) are taken as missing",
}


@dataclass(slots=True)
class Odd:
    """Odd values of one column, counted."""

    rows: dict[str, int] = field(default_factory=dict)
    examples: dict[str, Cell] = field(default_factory=dict)

    def add(self, what: str, value: Cell, rows: int) -> None:
        """Count rows with that value; `what` is a key of `ODD`, or empty for one that is not odd."""
        if what and rows:
            self.rows[what] = self.rows.get(what, 0) + rows
            self.examples.setdefault(what, value)

    def remarks(self, name: str) -> list[str]:
        """One statement for each kind of oddity."""
        return [
            f"column {name!r}: {ODD[what].format(f'{rows:,}', self.examples[what])}"
            for what, rows in self.rows.items()
        ]


def fit_notes(inferred: Sequence[Inferred], decimal: str) -> tuple[str, ...]:
    """Statements on types, dropped columns, missing values and readings."""
    kept = [its.column for its in inferred if its.column is not None]
    types = [_of_kind(kind, name, kept) for kind, name in KINDS.items()]
    dropped = [f"{its.name!r} ({its.reason})" for its in inferred if its.column is None]
    missing = [repr(column.name) for column in kept if column.missing]
    return (
        f"columns: {', '.join(filter(None, types)) or 'none'}",
        *([f"not learnt: {_all(dropped)}"] if dropped else []),
        *([f"missing values in {listed(missing)}"] if missing else []),
        *(["numbers in texts have a decimal comma"] if decimal == "," else []),
        *(f"column {its.name!r}: {note}" for its in inferred for note in its.notes),
    )


def _of_kind(kind: type[Column], name: str, columns: Iterable[Column]) -> str:
    its = [column for column in columns if isinstance(column, kind)]
    if not its:
        return ""
    if kind is CategoryColumn:
        sizes = [f"{c.name!r} {len(c.categories)}" for c in its if isinstance(c, CategoryColumn)]
        return f"{len(its)} of {name} ({listed(sizes)})"
    return f"{len(its)} of {name}"


def _all(fragments: Iterable[str]) -> str:
    return ", ".join(text if text.isprintable() else ascii(text) for text in fragments)
