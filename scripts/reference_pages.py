"""Pages of the site that are generated when it is built: commands, spaces, strategies, schedules, metrics.

    python scripts/reference_pages.py --to FOLDER     # to look at them without the site

A hook of MkDocs (`hooks` in mkdocs.yml). What the pages say is what `nas --help` and the listings say, from the
same declarations, so that they cannot differ.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

FOLDER = "reference"
_URL = re.compile(r"(?<![<(])(https?://\S+?)(?=[.,;:]?(?:\s|$))")
_ITEM = re.compile(r"\[\d+\]")
_EXAMPLE = {
    "darts": "darts_v2",
    "resnet": "resnet18",
    "nats_size": "widest",
}  # drawn; else the first


def on_files(files: Any, config: Any) -> Any:
    """Add the pages to the site (an event of MkDocs)."""
    from mkdocs.structure.files import File

    for name, content in pages().items():
        files.append(File.generated(config, f"{FOLDER}/{name}", content=content))
    return files


@cache
def pages() -> Mapping[str, str | bytes]:
    """The contents of the generated files, by their path below `FOLDER`."""
    from nas.schedules import SCHEDULES
    from nas.strategies import STRATEGIES

    return {
        "commands.md": commands(),
        "spaces.md": spaces(),
        "strategies.md": entries(
            "Strategies",
            "A strategy proposes the next configuration and learns from trials. Settings follow a colon: "
            "`--strategy evolution:population=50`.",
            STRATEGIES,
            "--strategy",
        ),
        "schedules.md": entries(
            "Schedules",
            "A schedule decides the epochs of each trial: which are resumed for more, or forked. Settings "
            "follow a colon: `--schedule asha:eta=4`.",
            SCHEDULES,
            "--schedule",
        ),
        "metrics.md": metrics(),
        **{f"spaces/{name}.svg": drawing for name, drawing in drawings().items()},
    }


def commands() -> str:
    """The page of the command line: every command with its arguments and options, by heading."""
    import typer

    from nas.cli.help import OUTPUT
    from nas.cli.main import app

    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name="nas")
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    text = [
        "# Command line",
        "`nas COMMAND --help` prints the same. Exit statuses are on the page of [errors](errors.md).",
    ]
    for heading in dict.fromkeys(command.rich_help_panel for command in found.values()):
        text.append(f"## {heading}")
        for name, command in found.items():
            if command.rich_help_panel != heading:
                continue
            inner = getattr(command, "commands", None) or {"": command}
            for sub, each in inner.items():
                text += _command(f"nas {name} {sub}".strip(), each, context, OUTPUT)
    return "\n\n".join(text) + "\n"


def _command(name: str, command: Any, parent: Any, last: str) -> Iterable[str]:
    context = type(parent)(command, info_name=name, parent=None)
    yield f"### {name}"
    yield _prose(command.help or "")
    usage = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
    yield f"```text\n{name} {usage}\n```"
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            heading = getattr(parameter, "rich_help_panel", None)
            if parameter.param_type_name == "argument":
                heading = "Arguments"
            elif parameter.name == "help":
                heading = last
            groups.setdefault(heading or "Options", []).append(record)
    groups[last] = groups.pop(last)
    for heading, records in groups.items():
        rows = [(_flag(flag), _prose(" ".join(text.split()))) for flag, text in records]
        yield _table((heading, "Meaning"), rows)


def _flag(flag: str) -> str:
    """An option and its type."""
    name, _, kind = flag.lstrip(" /").partition(" <")
    return _unbroken(name) + (f" `<{kind}`" if kind else "")


def _unbroken(name: str) -> str:
    """A name as code that is not broken over lines in a narrow column."""
    return f'<span style="white-space: nowrap">`{name}`</span>'


def entries(title: str, intro: str, registry: Any, option: str) -> str:
    """The page of a registry: each entry with its paper and its settings."""
    from nas.cli.listings.entries import document

    text = [f"# {title}", intro, _summary((name, registry[name].summary) for name in registry.own)]
    for name in registry.own:
        found = document(registry, name)
        text += [f"## {name}", *map(_paragraph, found["about"])]
        text += _settings(found["settings"])
        chosen = [s for s in found["settings"] if s["default"] != ""][:2]
        example = ",".join(f"{s['name']}={s['default']}" for s in chosen)
        text.append(f"```bash\nnas search {option} {name}{':' if example else ''}{example}\n```")
    return "\n\n".join(text) + "\n"


def spaces() -> str:
    """The page of the search spaces: each with its paper, decisions, settings and a drawing."""
    from nas.cli.listings.settings import document, module_docstring, paragraphs, settings_of
    from search_spaces import get
    from search_spaces.registry import SPACES, factory_of
    from search_spaces.task import KINDS

    text = [
        "# Search spaces",
        "A space is a tree of named decisions, and the networks of its architectures. `nas spaces NAME` "
        "reports on one: costs, shares of the options, duplicates.",
    ]
    rows = []
    for name, module in SPACES.items():
        space = get(name)
        size = f"{space.size:,}" if space.size < 1e9 else f"{float(space.size):.1e}"
        kinds = ", ".join(KINDS[axes].split()[0] for axes in space.inputs)
        rows.append((f"[{name}](#{name})", size.replace("inf", "unbounded"), kinds, space.source))
        text += [f"## {name}", *map(_paragraph, paragraphs(module_docstring(module)))]
        text += map(_paragraph, paragraphs(factory_of(name).__doc__ or ""))
        text.append(_decisions(space))
        text += _settings(document(settings_of(factory_of(name))))
        if space.known:
            text.append(f"Published: {', '.join(f'`{known}`' for known in space.known)}.")
        drawn = _drawn(space)[0]
        text.append(f"![{drawn} of {name}](spaces/{name}.svg)\n\n*The picture: {drawn}.*")
    text.insert(2, _table(("Space", "Architectures", "Inputs", "Source"), rows))
    return "\n\n".join(text) + "\n"


def drawings() -> dict[str, bytes]:
    """A drawing of one architecture of each space, as SVG; equal for equal sources."""
    import matplotlib as mpl

    from nas.analysis.space_report import usual_task
    from nas.views.drawings import describe
    from nas.views.drawings.figure import architecture_figure
    from search_spaces import get
    from search_spaces.registry import SPACES

    found = {}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nas"}):
        for name in SPACES:
            space, file = get(name), BytesIO()
            drawing = describe(space, _drawn(space)[1], usual_task(space, 10))
            architecture_figure(drawing).savefig(file, format="svg", metadata={"Date": None})
            found[name] = file.getvalue()
    return found


def _drawn(space: Any) -> tuple[str, Any]:
    """The architecture of a space that is drawn, and its name."""
    from random import Random

    name = _EXAMPLE.get(space.name, next(iter(space.known), ""))
    if name:
        return name, space.known[name]
    return "a random architecture", space.sample(Random(0))


def _decisions(space: Any) -> str:
    """A table of the decisions of a space; those with the same answers share a row."""
    answers: dict[str, list[str]] = {}
    for path, decision in space.tree.all_decisions().items():
        name = f"`{_ITEM.sub('[]', path) or 'kind'}`"
        options = "; or ".join(dict.fromkeys(map(_options, decision.nodes)))
        names = answers.setdefault(options, [])
        if name not in names:
            names.append(name)
    return _table(("Decisions", "Answers"), [(", ".join(n), _prose(o)) for o, n in answers.items()])


def _options(node: Any) -> str:
    """The answers of one decision, in words."""
    from search_spaces import Choice, Integer, Real, Repeat
    from search_spaces.tree import label

    if isinstance(node, Choice):
        return ", ".join(map(label, node.options))
    if isinstance(node, Repeat):
        return f"{node.low} to {node.high} items"
    assert isinstance(node, Integer | Real)
    step = f" in steps of {node.step}" if isinstance(node, Integer) and node.step > 1 else ""
    log = ", by ratio" if isinstance(node, Real) and node.log else ""
    return f"{node.low} to {node.high}{step}{log}"


def metrics() -> str:
    """The page of metrics, tasks and zero-cost proxies."""
    from nas.cli.listings.names import SOURCES, about_metric, proxy_documents, task_documents
    from nas.core.metrics import METRICS

    text = [
        "# Metrics, tasks and proxies",
        "Any metric may be an objective (`--objectives accuracy,parameters`) or have a limit "
        "(`--limit parameters<=50000`). One of your own has its direction: `f1:max`.",
        "## Metrics",
    ]
    for source, heading in SOURCES.items():
        chosen = [m for m in METRICS.values() if source in m.sources]
        text.append(
            _table((heading, "Meaning"), [(f"`{m.name}`", about_metric(m)) for m in chosen])
        )
    text += ["## Tasks", "The task follows from the targets of the data, or is set with `--task`."]
    for task in task_documents():
        text += [f"### {task['name']}", _prose(task["summary"]), _prose(task["loss"])]
        text.append(f"Metrics: {', '.join(f'`{name}`' for name in task['metrics'])}.")
    text += [
        "## Zero-cost proxies",
        "Scores of an untrained network, the larger the better: `--evaluator proxies`, or "
        "`--strategy predictor:proxies=auto`.",
    ]
    for proxy in proxy_documents():
        text += [f"### {proxy['name']}", *map(_paragraph, proxy["about"])]
    return "\n\n".join(text) + "\n"


def _settings(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in settings:
        default = "none" if one["default"] == "" else f"`{one['default']}`"
        rows.append((_unbroken(one["name"]), default, one["range"], one["meaning"]))
    return [_table(("Setting", "Default", "Range", "Meaning"), rows)] if rows else []


def _summary(pairs: Iterable[tuple[str, str]]) -> str:
    return _table(("Name", "In short"), [(f"[{name}](#{name})", said) for name, said in pairs])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def _paragraph(text: str) -> str:
    """A paragraph of a docstring as Markdown: an indented one is shown as it is."""
    return f"```text\n{text}\n```" if text.startswith(" ") else _prose(text)


def _prose(text: str) -> str:
    """Text as Markdown: addresses are links, and stars, angle brackets and underscores are literal."""
    parts = re.split(r"(`[^`]*`)", text)
    for index in range(0, len(parts), 2):
        plain = re.sub(r"([*<_\[\]])", r"\\\1", parts[index])
        parts[index] = _URL.sub(lambda found: f"<{found[1].replace(chr(92), '')}>", plain)
    return "".join(parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, required=True, help="Folder for the pages.")
    to = parser.parse_args().to
    for path, content in pages().items():
        file = to / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
