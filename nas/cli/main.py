"""The `nas` command: what it consists of, and what its ends mean.

Results go to stdout, progress and messages to stderr. Exit status: 0 done, 1 failure, 2 bad input
(one line that says what to do), 74 disk full, 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import atexit
import errno
import itertools
import sys
from io import TextIOWrapper
from typing import NoReturn

import typer

from nas.cli import benchmark, bundles, compare, explain, listings, look, search, stopping, winners
from nas.core.schema import visible
from nas.runs.atomic_io import is_full

app = typer.Typer(
    name="nas",
    help="Neural architecture search for PyTorch: search, look, take the winner away.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in (
    search.search,
    look.show,
    look.plot,
    look.tensorboard,
    winners.export,
    winners.retrain,
    bundles.verify,
    bundles.predict,
    bundles.latency,
    explain.explain,
    explain.trust,
    compare.compare,
    explain.report,
    listings.profile,
    listings.spaces,
    listings.strategies,
    listings.schedules,
):
    app.command()(command)
app.add_typer(benchmark.app, name="benchmark")

# What is wrong with a path that the user named.
_OF_A_PATH = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}

# typer has had click as a dependency and inside: the base of its errors is found by this way only.
CommandError: type[Exception] = typer.BadParameter.__mro__[2]


def run() -> NoReturn:
    """`main` as a process, which ends without taking apart what it imported: of torch, a second."""
    status = [1]  # what Python ends with after an error of ours, which it prints
    # The first to be registered is the last to be called: all others have done their work then.
    atexit.register(lambda: stopping.leave(status[0]))
    try:
        main()
    except SystemExit as end:
        status[0] = int(end.code or 0)
        raise


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; turn what users and systems do wrong into one line and a status."""
    stopping.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name of a file may be no text
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
        what = f"{where}{error.strerror or error}"
        if is_full(error):
            return _say(f"{what}; free some space, then run the same command again", 74)
        if where and error.errno in _OF_A_PATH:
            return _say(f"{what}; want another path", 2)
        return _say(what, 1)
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
    """The value of the option that an error is about, which typer does not say."""
    for option in getattr(getattr(error, "param", None), "opts", ()):
        for word, value in itertools.pairwise(arguments):
            if word == option:
                return f", got {value!r}"
    return ""


def _say(message: str, status: int) -> int:
    print(f"nas: {visible(' '.join(message.split()))}", file=sys.stderr)
    return status
