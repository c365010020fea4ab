"""Help of the commands: options and subcommands under headings, most important first.

The headings are those of typer, `rich_help_panel`. They are written as plain text: rich's boxes leave 38 of
80 columns for the words.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

OUTPUT = "Output"  # the last heading of a command
_FEW = 10  # options up to which a command has one list of them
_OPTIONS = "Options"


class GroupedOptions(TyperCommand):
    """A command whose help lists its arguments, then its options by heading, if they are many."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write one section of the help for each heading."""
        parameters = self.get_params(ctx)
        arguments = [p for p in parameters if p.param_type_name == "argument"]
        options = [p for p in parameters if p.param_type_name != "argument"]
        groups: dict[str, list[Any]] = {"Arguments": arguments, _OPTIONS: []}
        for option in options:
            last = OUTPUT if option.name == "help" else _OPTIONS
            heading = getattr(option, "rich_help_panel", None) or last
            groups.setdefault(heading if len(options) > _FEW else _OPTIONS, []).append(option)
        groups[OUTPUT] = groups.pop(OUTPUT, [])
        for heading, members in groups.items():
            if records := [found for p in members if (found := p.get_help_record(ctx))]:
                with formatter.section(heading):
                    formatter.write_dl([(flag.lstrip(" /"), text) for flag, text in records])


class GroupedCommands(TyperGroup):
    """A group of commands whose help lists them by heading, each with its whole first line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section of the help for each heading."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            heading = getattr(command, "rich_help_panel", None) or "Commands"
            summary = (command.help or "").strip().partition("\n\n")[0]
            groups.setdefault(heading, []).append((name, " ".join(summary.split())))
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)
