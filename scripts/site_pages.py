"""Menu of the site, and its pages on the rooms of the code.

A hook of MkDocs (`hooks` in mkdocs.yml). An entry of `nav` that names a folder stands for the pages in it: `index.md` first,
the others in the order of their names. The pages on rooms are made from the docstrings of modules.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # MkDocs loads a hook by its file

from scripts.structure import PACKAGES, ROOT, modules, room_imports, room_of

ROOMS = "contributing/rooms"


def on_config(config: Any) -> Any:
    """Replace each folder in `nav` by its pages (an event of MkDocs)."""
    config.nav = [expanded(entry, Path(config.docs_dir)) for entry in config.nav]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages on rooms to the site (an event of MkDocs)."""
    from mkdocs.structure.files import File

    for name, text in rooms().items():
        files.append(File.generated(config, name, content=text))
    return files


def expanded(entry: Any, docs: Path) -> Any:
    """The entry of the menu, with lists of pages where it names folders."""
    if isinstance(entry, str):
        return pages(docs / entry, docs) if entry.endswith("/") else entry
    if isinstance(entry, list):
        return [expanded(part, docs) for part in entry]
    return {title: expanded(where, docs) for title, where in entry.items()}


def pages(folder: Path, docs: Path) -> list[str]:
    """The pages of a folder, `index.md` first, as paths below `docs`."""
    if folder == docs / ROOMS:
        return list(rooms())
    found = sorted(folder.glob("*.md"), key=lambda path: (path.name != "index.md", path.name))
    return [path.relative_to(docs).as_posix() for path in found]


@cache
def rooms() -> dict[str, str]:
    """The text of each page on a room, by its path below `docs`."""
    known, imports = modules(), room_imports()
    folders = {name for name in imports if "." in name and known[name].name == "__init__.py"}
    return {
        f"{ROOMS}/{name.replace('.', '_')}.md": _page(name, known, imports, folders)
        for package in PACKAGES
        for name in sorted(folders)
        if name.startswith(f"{package}.")
    }


def _page(
    room: str, known: dict[str, Path], imports: dict[str, set[str]], folders: set[str]
) -> str:
    """The page of one room: its purpose, its neighbours, its modules."""
    above = {other for other, names in imports.items() if room in names}
    members = {name: path for name, path in known.items() if room_of(name) == room}
    rows = [
        f"| `{path.relative_to(ROOT)}` | {_summary(path)} |"
        for name, path in members.items()
        if name != room
    ]
    return "\n".join(
        [
            f"# {room.replace('.', '/')}\n",
            f"{_summary(members[room])}\n",
            f"Imports: {_links(imports[room] & folders)}.\n",
            f"Imported by: {_links(above & folders)}.\n",
            "| Module | Content |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _links(names: set[str]) -> str:
    """The rooms as links."""
    found = [f"[{name.replace('.', '/')}]({name.replace('.', '_')}.md)" for name in sorted(names)]
    return ", ".join(found) or "no other room"


def _summary(path: Path) -> str:
    """The first paragraph of the docstring of a module, in one line."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|").replace("<", "&lt;")
