"""Navigation of the site: an entry of `nav` that names a folder stands for the pages in it.

A hook of MkDocs (`hooks` in mkdocs.yml). `index.md` comes first, the others in the order of their names.
"""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Replace each folder in `nav` by its pages (an event of MkDocs)."""
    config.nav = [_expanded(entry, Path(config.docs_dir)) for entry in config.nav]
    return config


def _expanded(entry: Any, docs: Path) -> Any:
    """The entry, with a list of pages where it names a folder."""
    if not isinstance(entry, dict):
        return entry
    return {
        title: pages(docs / where, docs)
        if isinstance(where, str) and where.endswith("/")
        else where
        for title, where in entry.items()
    }


def pages(folder: Path, docs: Path) -> list[str]:
    """The pages of a folder, `index.md` first, as paths below `docs`."""
    found = [path for path in folder.iterdir() if path.suffix in (".md", ".ipynb")]
    found.sort(key=lambda path: (path.name != "index.md", path.name))
    return [path.relative_to(docs).as_posix() for path in found]
