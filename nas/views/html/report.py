"""The page: one HTML file with all that it needs inside."""

from __future__ import annotations

import base64
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from nas.runs.atomic_io import write_whole
from nas.runs.run import Run
from nas.views.html import sections
from nas.views.html.facts import Facts, gather
from nas.views.html.markup import Html, element, text
from search_spaces import strict_json

_SECTIONS = (
    sections.front,
    sections.winner,
    sections.importance,
    sections.ablation,
    sections.trust,
    sections.rivals,
    sections.budget,
    sections.reproduce,
)


def write_report(run: Run, to: Path) -> None:
    """Write the report of a run, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(to, page(gather(run)))


def page(facts: Facts) -> str:
    """The HTML document.

    Its policy admits no network, and of scripts and styles only its own two, by their digests.
    """
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        f"img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = text(f"Report on {facts.run.path.name}")
    settings = facts.run.settings
    about = text(
        f"{settings.strategy} on {settings.space}, {settings.data}, seed {settings.seed}: "
        f"{len(facts.run.trials)} trials, {len(facts.run.failures)} failed"
    )
    # In a script of data "<" could end it or begin a comment; JSON says it otherwise.
    data = Html(strict_json.dumps(facts.texts()).replace("<", "\\u003c"))
    body = [
        element("h1", title),
        element("p", about),
        *(part for section in _SECTIONS for part in section(facts)),
        element("script", data, type="application/json", id="trials"),
        element("script", script),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title>{element('style', style)}</head>"
        f"{element('body', *body)}</html>\n"
    )


def _asset(name: str) -> Html:
    return Html((files("nas.views.html") / name).read_text(encoding="utf-8"))


def _digest(content: Html) -> str:
    return f"sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}"
