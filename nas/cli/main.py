"""The `nas` command: its subcommands and its exit statuses.

Results go to stdout, progress and messages to stderr. Exit status: 0 success, 1 failure, 2 bad input
(one line that says what to do), 74 disk full, 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import atexit
import errno
import itertools
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import NoReturn

import typer

from nas.cli import (
    benchmark,
    bundles,
    compare,
    explain,
    fit,
    look,
    search,
    stopping,
    winners,
)
from nas.cli.console import help_without_command
from nas.cli.help import GroupedCommands, GroupedOptions
from nas.cli.listings import entries, names, spaces
from nas.core.schema import visible
from nas.runs.atomic_io import is_full

app = typer.Typer(
    name="nas",
    cls=GroupedCommands,
    help="Neural architecture search for PyTorch: search, inspect, export the best network.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

COMMANDS: dict[str, tuple[Callable[..., object], ...]] = {  # by heading of the help
    "Search": (search.search, fit.fit),
    "Look": (look.show, look.plot, look.tensorboard, explain.report),
    "Take away": (
        winners.export,
        winners.retrain,
        bundles.verify,
        bundles.predict,
        bundles.latency,
    ),
    "Understand": (
        explain.explain,
        explain.trust,
        explain.gate,
        compare.compare,
        compare.portfolio,
        spaces.profile,
    ),
    "Lists": (
        spaces.spaces,
        entries.strategies,
        entries.schedules,
        names.metrics,
        names.tasks,
        names.proxies,
        entries.executors,
    ),
}

app.callback(invoke_without_command=True)(help_without_command)
for heading, commands in COMMANDS.items():
    for command in commands:
        app.command(cls=GroupedOptions, rich_help_panel=heading)(command)
app.add_typer(benchmark.app, name="benchmark", rich_help_panel="Understand")

# Errors that another path avoids.
_PATH_ERRORS = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}

# typer depends on click or contains a copy of it: only this finds the base of its errors in both.
CommandError: type[Exception] = typer.BadParameter.__mro__[2]


def run() -> NoReturn:
    """Run `main` and end the process without unloading modules, which takes a second for torch."""
    status = [1]  # status after an exception, which Python prints
    # Registered first, hence called last: all other exit functions have run then.
    atexit.register(lambda: stopping.leave(status[0]))
    try:
        main()
    except SystemExit as end:
        status[0] = int(end.code or 0)
        raise


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; turn errors of users and of the system into one line and a status."""
    stopping.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file name may not be text
            stream.reconfigure(errors="backslashreplace")
    status = _status(arguments)
    if stopping.came():
        stopping.leave(status)
    sys.exit(status)


def _status(arguments: list[str] | None) -> int:
    try:
        result = app(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except CommandError as error:
        given = _given(error, sys.argv[1:] if arguments is None else arguments)
        return _say(f"{error.format_message()}{given}", 2)  # type: ignore[attr-defined]
    except ValueError as error:
        return _say(str(error), 2)
    except ArithmeticError as error:
        return _say(str(error), 1)
    except typer.Abort:
        return 130
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        message = f"{where}{error.strerror or error}"
        if is_full(error):
            return _say(f"{message}; free some space, then run the same command again", 74)
        if where and error.errno in _PATH_ERRORS:
            return _say(f"{message}; want another path", 2)
        return _say(message, 1)
    except KeyboardInterrupt:
        return 130
    except stopping.Terminated:
        return 143
    except Exception as error:
        from nas.engine.session import SearchFailed

        if isinstance(error, SearchFailed):
            return _say(str(error), 1)
        raise


def _given(error: Exception, arguments: list[str]) -> str:
    """The value of the option that an error is about, which the message of typer lacks."""
    for option in getattr(getattr(error, "param", None), "opts", ()):
        for word, value in itertools.pairwise(arguments):
            if word == option:
                return f", got {value!r}"
    return ""


def _say(message: str, status: int) -> int:
    print(f"nas: {visible(' '.join(message.split()))}", file=sys.stderr)
    return status
