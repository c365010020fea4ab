"""Rendering of a report as one self-contained HTML file."""

from __future__ import annotations

import base64
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nas.core.numbers import counted
from nas.runs.atomic_io import write_whole
from nas.runs.run import Run
from nas.views import columns
from nas.views.html import checklist, content, reproduction
from nas.views.html.facts import Facts, gather
from nas.views.terminal import confirmed, explanation, failed, gate, mistakes, trust
from nas.views.terminal import run as overview

# Texts that the page shares with the terminal.
_TERMINAL = SimpleNamespace(
    FAILED_HEAD=failed.FAILED_HEAD,
    confirmed_lines=confirmed.confirmed_lines,
    counted=counted,
    failed_line=failed.failed_line,
    failed_rows=failed.failed_rows,
    failure_lines=overview.failure_lines,
    gate_lines=gate.gate_lines,
    gate_title=gate.gate_title,
    gate_rows=gate.gate_rows,
    GATE_HEAD=gate.GATE_HEAD,
    luck_text=trust.luck_text,
    confirmed_text=trust.confirmed_text,
    trained_text=explanation.trained_text,
)


def write_report(run: Run, to: Path) -> None:
    """Write the report of a run, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    write_whole(to, page(gather(run)))


def page(facts: Facts) -> str:
    """The HTML document.

    Its policy admits no network, and only its own style and script, by their digests.
    """
    environment = Environment(
        loader=PackageLoader("nas.views.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "digest": _digest,
        "integer": "{:,}".format,
    }
    return environment.get_template("page.html").render(
        facts=facts,
        run=facts.run,
        checklist=checklist,
        content=content,
        columns=columns,
        terminal=_TERMINAL,
        mistakes=mistakes,
        reproduction=reproduction,
        style=_asset("page.css"),
        script=_asset("page.js"),
    )


def _asset(name: str) -> Markup:
    return Markup((files("nas.views.html") / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 - ours


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}"
