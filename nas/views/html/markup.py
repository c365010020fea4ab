"""HTML that is escaped by being built: text goes in as text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NewType

Html = NewType("Html", str)  # markup that is safe to put into a page


def text(content: object) -> Html:
    """Any text, escaped."""
    return Html(escape(str(content)))


def element(tag: str, *children: Html, **attributes: object) -> Html:
    """An element; `class_` is its class, underscores in names of attributes are dashes."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
    )
    return Html(f"<{tag}{given}>{''.join(children)}</{tag}>")


def table(head: Sequence[str], rows: Sequence[Sequence[object]], numbers: int = 0) -> Html:
    """A table of text; the last `numbers` columns are numbers."""
    first = len(head) - numbers

    def cells(tag: str, row: Sequence[object]) -> list[Html]:
        return [
            element(tag, text(cell), class_="number" if i >= first else "text")
            for i, cell in enumerate(row)
        ]

    body = [element("tr", *cells("td", row)) for row in rows]
    inner = element("thead", element("tr", *cells("th", head)))
    return element("div", element("table", inner, element("tbody", *body)), class_="wide")
